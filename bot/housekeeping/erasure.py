"""Export and erasure of all data about a customer; docs/storage.md.

Erasing deletes their words from SQL and Redis and replaces their identity by a random name, so that
counts stay correct and identify nobody. The id of a conversation is a hash of the vendor's name for
the customer and is replaced as well; when they write again, they are a new customer.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from dataclasses import dataclass
from functools import partial
from typing import Any

import redis.asyncio
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from bot.conversation import store
from bot.conversation.states import ENDED, State
from bot.desk import tables as desk
from bot.desk.people import audit
from bot.errors import BadRequest, StoreUnavailable
from bot.events import EpisodeClosed, Event, Subject
from bot.files.rows import ids_of
from bot.files.store import FileStore, store_of
from bot.housekeeping import redis_eraser
from bot.routing.tables import sla_clocks
from bot.settings import Settings
from bot.stores import tables
from bot.stores.database import Database, insert_ignore
from bot.stores.event_log import write_events
from bot.stores.tables import files as files_table

PASSES = 5
"""Most passes: a message may arrive during a pass, which makes another one necessary."""
_WORDS = (
    files_table,
    tables.messages,
    tables.trackers,
    tables.dead_letters,
    tables.survey_answers,
    sla_clocks,
    desk.notes,
    desk.labels,
    desk.reads,
    tables.snoozes,
    tables.team_stints,
    desk.mentions,
    desk.translations,
)
"""Tables whose rows of a conversation are deleted; each has a column `conversation`."""
_IDENTITY = ("vendor_id",)
"""Keys of an event's data that identify the message for a vendor."""


@dataclass(frozen=True)
class CustomerIds:
    """Ids of a customer's rows and conversations."""

    customers: tuple[str, ...]
    conversations: tuple[str, ...]
    vendor_users: tuple[str, ...]


@dataclass(frozen=True)
class Erased:
    """Result of an erasure."""

    conversations: int
    rows: int
    """Rows deleted from SQL."""
    entries: int
    """Keys and stream rows deleted from Redis."""


def find_customer(connection: Connection, name: str) -> CustomerIds:
    """Find a customer by customer id, conversation id or `channel:vendor-user`.

    Raises:
        BadRequest: No customer matches the name (status 404).
    """
    c = tables.conversations.c
    channel, _, vendor_user = name.partition(":")
    customer_ids = connection.execute(
        sa.select(c.customer_id).where(
            sa.or_(
                c.id == name,
                c.customer_id == name,
                sa.and_(c.channel == channel, c.vendor_user == vendor_user),
            )
        )
    ).scalars()
    customers = _merged(connection, set(customer_ids))
    if not customers:
        raise BadRequest("unknown-customer", f"no customer matches '{name}'", status=404)
    rows = connection.execute(
        sa.select(c.id, c.vendor_user).where(c.customer_id.in_(customers)).order_by(c.id)
    ).all()
    return CustomerIds(
        customers, tuple(row.id for row in rows), tuple(sorted({row.vendor_user for row in rows}))
    )


def ids_of_conversation(connection: Connection, conversation: str, vendor_user: str) -> CustomerIds:
    """Return the ids that belong to one conversation and to no other.

    Where agents have merged a customer's conversations, those of other channels stay: the requester
    has proved that this one is theirs, and no other.
    """
    c = tables.conversations.c
    owner = connection.execute(sa.select(c.customer_id).where(c.id == conversation)).scalar()
    customer = owner or f"c-{conversation}"
    other_conversations = (
        sa.select(c.id).where(c.customer_id == customer, c.id != conversation).limit(1)
    )
    shared = connection.execute(other_conversations).first() is not None
    return CustomerIds(() if shared else (customer,), (conversation,), (vendor_user,))


def _merged(connection: Connection, customers: set[str]) -> tuple[str, ...]:
    """Return all customer rows of one person; merging keeps the row of the joined customer."""
    m, customer_ids = desk.merges.c, set(customers)
    while True:
        pairs = connection.execute(
            sa.select(m.kept, m.joined).where(
                m.undone_at.is_(None), sa.or_(m.kept.in_(customer_ids), m.joined.in_(customer_ids))
            )
        )
        wider = customer_ids | {id_ for pair in pairs for id_ in pair}
        if wider == customer_ids:
            return tuple(sorted(customer_ids))
        customer_ids = wider


def export(connection: Connection, customer: CustomerIds) -> dict[str, Any]:
    """Return all stored data about a customer, as JSON types.

    Returns:
        `customers` (rows), `conversations`: each a row with `messages`, `events`, `notes`,
        `files`, `survey_answers` and `translations`, oldest first.
    """
    customers = sa.select(tables.customers).where(tables.customers.c.id.in_(customer.customers))
    return {
        "customers": _rows(connection, customers),
        "conversations": [_conversation(connection, id_) for id_ in customer.conversations],
    }


async def erase(
    database: Database,
    client: redis.asyncio.Redis,
    shards: int,
    customer: CustomerIds,
    *,
    by: str,
    files: FileStore,
) -> Erased:
    """Erase a customer everywhere; afterwards nothing that is kept identifies them.

    Args:
        by: Who requested it, for the audit log.
        files: Store of the files they sent and got.

    Raises:
        StoreUnavailable: A store is down; nothing or a part is done, and repeating is safe.
    """
    rows = entries = 0
    for _ in range(PASSES):
        names = {id_: f"erased-{secrets.token_hex(12)}" for id_ in customer.conversations}
        messages = await database.read(lambda c: _message_ids(c, customer))
        # The bytes of files first: without the row the owner of a file is unknown.
        await files.delete(await database.read(lambda c: ids_of(c, customer.conversations)))
        erased_entries = await redis_eraser.erase(
            client, shards, customer.conversations, customer.vendor_users, messages
        )
        deleted = await database.run(partial(_erase_rows, customer=customer, names=names, by=by))
        rows, entries = rows + deleted, entries + erased_entries
        if not deleted and not erased_entries:
            break
    await asyncio.to_thread(database.compact)
    await redis_eraser.rewrite_log(client)
    return Erased(len(customer.conversations), rows, entries)


async def erase_own(
    settings: Settings,
    database: Database,
    client: redis.asyncio.Redis,
    conversation: str,
    vendor_user: str,
) -> tuple[int, int]:
    """Erase one conversation on its customer's request; see `channels.kit.app_keys.Erase`."""
    customer = await database.read(lambda c: ids_of_conversation(c, conversation, vendor_user))
    try:
        erased = await erase(
            database, client, settings.shards, customer, by="customer", files=store_of(settings)
        )
    except TimeoutError as error:
        raise StoreUnavailable("redis", "the log is still being rewritten") from error
    return erased.rows, erased.entries


def _conversation(connection: Connection, id_: str) -> dict[str, Any]:
    def of(table: sa.Table, order: str) -> list[dict[str, Any]]:
        query = sa.select(table).where(table.c.conversation == id_).order_by(table.c[order])
        return _rows(connection, query)

    c = tables.conversations.c
    return {
        **_rows(connection, sa.select(tables.conversations).where(c.id == id_))[0],
        "messages": of(tables.messages, "created_at"),
        "events": of(tables.events, "occurred_at"),
        "notes": of(desk.notes, "created_at"),
        "files": of(files_table, "created_at"),
        "survey_answers": of(tables.survey_answers, "answered_at"),
        "translations": of(desk.translations, "created_at"),
    }


def _rows(connection: Connection, query: sa.Select[Any]) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(query).mappings()]


def _message_ids(connection: Connection, customer: CustomerIds) -> set[str]:
    c = tables.messages.c
    query = sa.select(c.id).where(c.conversation.in_(customer.conversations))
    return set(connection.execute(query).scalars())


def _erase_rows(
    connection: Connection, customer: CustomerIds, names: dict[str, str], by: str
) -> int:
    """Erase in one transaction; return how many rows were deleted or renamed."""
    count = 0
    # The customer's name first: the search index finds its row by the conversation's old id.
    connection.execute(
        sa.update(tables.customers)
        .where(tables.customers.c.id.in_(customer.customers))
        .values(name="", locale="", zone="")
    )
    for id_, name in names.items():
        subjects = [id_, *customer.customers]
        for table in _WORDS:
            if table is tables.dead_letters or table is tables.messages:
                query = sa.select(table.c.id).where(table.c.conversation == id_)
                subjects += connection.execute(query).scalars()
            result = connection.execute(sa.delete(table).where(table.c.conversation == id_))
            count += result.rowcount
        count += _rename_events(connection, id_, name)
        for start in range(0, len(subjects), 500):
            connection.execute(
                sa.update(desk.audit)
                .where(desk.audit.c.subject.in_(subjects[start : start + 500]))
                .values(subject=name, detail=None)
            )
        count += _rename_conversation(connection, id_, name, by)
    connection.execute(
        sa.delete(tables.customers).where(tables.customers.c.id.in_(customer.customers))
    )
    m = desk.merges.c
    connection.execute(
        sa.delete(desk.merges).where(
            sa.or_(m.kept.in_(customer.customers), m.joined.in_(customer.customers))
        )
    )
    return count


def _rename_events(connection: Connection, id_: str, name: str) -> int:
    e = tables.events
    rows = connection.execute(sa.select(e.c.id, e.c.data).where(e.c.conversation == id_)).all()
    for row in rows:
        data = {key: value for key, value in row.data.items() if key not in _IDENTITY}
        new = row.id if id_ not in row.id else f"{name}-{secrets.token_hex(8)}"
        connection.execute(
            sa.update(e).where(e.c.id == row.id).values(id=new, conversation=name, data=data)
        )
        # With its new id no connector may take it for another event.
        connector_seen = tables.connector_seen
        connection.execute(
            sa.update(connector_seen).where(connector_seen.c.event == row.id).values(event=new)
        )
    return len(rows)


def _rename_conversation(connection: Connection, id_: str, name: str, by: str) -> int:
    """Rename the row and close it: a customer who writes again starts a new one."""
    row = store.get(connection, id_)
    if row is None:
        return 0
    now = time.time()
    if row.state not in ENDED:
        closed = Event.of(
            Subject(name, row.episode_id, row.channel, row.language),
            EpisodeClosed("unknown"),
            key=name,
            actor="system",
            occurred_at=now,
        )
        write_events(connection, [closed])
    nobody = {"id": f"c-{name}", "name": "", "locale": "", "created_at": now}
    insert_ignore(connection, tables.customers, [nobody])
    ended = row.state if row.state in ENDED else State.CLOSED
    c = tables.conversations
    connection.execute(
        sa.update(c)
        .where(c.c.id == id_)
        .values(
            id=name,
            vendor_user=name,
            customer_id=f"c-{name}",
            state=ended.value,
            owner=None,
            waiting_since=None,
            last_change=None,
            version=row.version + 1,
        )
    )
    audit.write(connection, by, "customer.erased", name)
    return 1
