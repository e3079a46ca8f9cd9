"""Merging of customers: conversations of two channels under one person; can be undone.

Both customers' rows stay; what moved is written down, so that a merge can be taken back.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from bot.conversation.changes import Changes
from bot.desk.conversation.moves import get_conversation
from bot.desk.people import audit, scope
from bot.desk.people.scope import EVERYTHING, Scope
from bot.desk.tables import merges
from bot.errors import BadRequest
from bot.handoff.service import Agent
from bot.stores.database import Database
from bot.stores.tables import conversations, customers

MOST_CONVERSATIONS = 50
"""Of one customer; more are a mistake."""


@dataclass(frozen=True)
class Merge:
    """A merge in effect."""

    id: str
    conversations: tuple[str, ...]
    """Those that moved."""
    created_at: float


async def merge(
    database: Database, changes: Changes, conversation_id: str, other_id: str, agent: Agent
) -> str:
    """Put the conversations of two customers under one of them; return the merge's id.

    The customer with a name is kept, else the one of `conversation_id`.

    Raises:
        BadRequest: The two are one customer already, have too many conversations, or some that
            the agent does not see (status 409).
    """
    made, moved = await database.run(lambda c: _merge(c, conversation_id, other_id, agent))
    await _refresh(changes, [*moved, conversation_id])
    return made


async def part(database: Database, changes: Changes, merge_id: str, agent: Agent) -> None:
    """Take a merge back; what was merged later in another way stays.

    Raises:
        BadRequest: There is no such merge, it was taken back, or the agent does not see all its
            conversations (status 404).
    """
    concerned = await database.run(lambda c: _part(c, merge_id, agent))
    await _refresh(changes, concerned)


def standing(connection: Connection, customer_id: str, seen: Scope = EVERYTHING) -> list[Merge]:
    """Merges into a customer that a user sees all conversations of, newest first."""
    m = merges.c
    rows = connection.execute(
        sa.select(merges)
        .where(m.kept == customer_id, m.undone_at.is_(None))
        .order_by(m.created_at.desc())
    ).mappings()
    made = [Merge(row["id"], tuple(row["conversations"]), row["created_at"]) for row in rows]
    return [merge for merge in made if seen.sees_all(connection, merge.conversations)]


def conversations_of(connection: Connection, merge_id: str) -> list[str]:
    """Conversations a standing merge is about, of both sides; empty when there is none."""
    row = connection.execute(
        sa.select(merges.c.kept, merges.c.conversations).where(
            merges.c.id == merge_id, merges.c.undone_at.is_(None)
        )
    ).first()
    if row is None:
        return []
    c = conversations.c
    kept = connection.execute(sa.select(c.id).where(c.customer_id == row.kept)).scalars()
    return sorted({*row.conversations, *kept})


def _merge(
    connection: Connection, conversation_id: str, other_id: str, agent: Agent
) -> tuple[str, list[str]]:
    staying = get_conversation(connection, conversation_id)
    moving = get_conversation(connection, other_id)
    if staying.customer_id == moving.customer_id:
        raise BadRequest("same-customer", "These are one customer already.", status=409)
    kept, joined = staying.customer_id, moving.customer_id
    if not _name(connection, kept) and _name(connection, joined):
        kept, joined = joined, kept
    c = conversations.c
    ids = list(connection.execute(sa.select(c.id).where(c.customer_id == joined)).scalars())
    of_kept = sa.select(sa.func.count()).where(c.customer_id == kept)
    number = connection.execute(of_kept).scalar_one()
    concerned = connection.execute(sa.select(c.id).where(c.customer_id.in_((kept, joined))))
    if not _scope(connection, agent).sees_all(connection, list(concerned.scalars())):
        raise BadRequest("hidden-conversations", "A supervisor can merge these.", status=409)
    if len(ids) + number > MOST_CONVERSATIONS:
        raise BadRequest("too-many-conversations", "That is too many for one customer.")
    made = f"g{secrets.token_hex(8)}"
    connection.execute(
        sa.insert(merges).values(
            id=made,
            user_id=agent.id,
            kept=kept,
            joined=joined,
            conversations=ids,
            created_at=time.time(),
        )
    )
    _move(connection, ids, joined, kept)
    audit.write(connection, agent.id, "customer.merged", kept, joined=joined)
    return made, ids


def _part(connection: Connection, merge_id: str, agent: Agent) -> list[str]:
    row = connection.execute(
        sa.select(merges).where(merges.c.id == merge_id, merges.c.undone_at.is_(None))
    ).first()
    concerned = conversations_of(connection, merge_id)
    if row is None or not _scope(connection, agent).sees_all(connection, concerned):
        raise BadRequest("unknown-merge", "There is no such merge.", status=404)
    connection.execute(
        sa.update(merges).where(merges.c.id == merge_id).values(undone_at=time.time())
    )
    _move(connection, row.conversations, row.kept, row.joined)
    audit.write(connection, agent.id, "customer.parted", row.kept, joined=row.joined)
    return concerned


def _scope(connection: Connection, agent: Agent) -> Scope:
    return EVERYTHING if agent.supervises else scope.of_id(connection, agent.id)


def _move(connection: Connection, ids: Sequence[str], source: str, target: str) -> None:
    c = conversations.c
    connection.execute(
        sa.update(conversations)
        .where(c.id.in_(list(ids)), c.customer_id == source)
        .values(customer_id=target, version=c.version + 1)
    )


def _name(connection: Connection, customer_id: str) -> str:
    name = connection.execute(sa.select(customers.c.name).where(customers.c.id == customer_id))
    return str(name.scalar() or "")


async def _refresh(changes: Changes, ids: Sequence[str]) -> None:
    """Write the present rows into the engine's copies, and notify open desks."""

    for id_ in ids:
        await changes.apply(id_, partial(get_conversation, conversation_id=id_))
