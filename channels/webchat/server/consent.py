"""Keep that a visitor agreed: on the customer's row, where agents see it, and in the event log.

Until then the widget asks nothing of the server but its files, and the server takes no message
(`receive.check_consent`). The token carries the version, so no message needs a look into SQL.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from bot.errors import BadRequest
from bot.events import ConsentGiven, Event, Subject
from bot.settings import Settings
from bot.stores.database import insert_ignore
from bot.stores.event_log import write_events
from bot.stores.tables import conversations, customers
from channels.webchat.server.session import Session
from channels.webchat.server.settings import NAME, WebchatSettings


def check_version(settings: Settings, version: str) -> None:
    """Refuse consent to a wording that is not ours, or no longer.

    Raises:
        BadRequest: `bad-consent`.
    """
    if version and version != settings.of(WebchatSettings).consent_version:
        raise BadRequest("bad-consent", "this wording is not the current one; load the page again")


def is_kept(connection: Connection, opened: Session) -> bool:
    """Tell whether the consent of `opened` is on its customer's row."""
    c, k = conversations.c, customers.c
    owner = sa.select(c.customer_id).where(c.id == opened.conversation).scalar_subquery()
    customer = sa.func.coalesce(owner, f"c-{opened.conversation}")
    version = connection.execute(sa.select(k.consent_version).where(k.id == customer)).scalar()
    return version == opened.consent


def keep(connection: Connection, opened: Session, *, locale: str, zone: str, now: float) -> None:
    """Store the consent of `opened`; the same version again changes nothing.

    Args:
        locale, zone: As the browser reports them; the row may be older than the first message.
        now: Unix seconds.
    """
    c = conversations.c
    known = connection.execute(sa.select(c.customer_id).where(c.id == opened.conversation))
    customer = known.scalar() or f"c-{opened.conversation}"
    insert_ignore(
        connection,
        customers,
        [{"id": customer, "name": "", "locale": locale[:32], "zone": zone, "created_at": now}],
    )
    connection.execute(
        sa.update(customers)
        .where(
            customers.c.id == customer,
            customers.c.consent_version.is_distinct_from(opened.consent),
        )
        .values(consent_version=opened.consent, consent_at=now)
    )
    event = Event.of(
        Subject(opened.conversation, channel=NAME),
        ConsentGiven(opened.consent),
        key=opened.conversation,
        ordinal=f":{opened.consent}",
        actor="customer",
        occurred_at=now,
    )
    write_events(connection, [event])
