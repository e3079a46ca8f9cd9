"""Search for customers by name or text, to merge one with another."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from bot.desk.conversation.moves import get_conversation
from bot.desk.people.scope import EVERYTHING, Scope
from bot.desk.search import find
from bot.stores.tables import conversations, customers

MOST = 12


@dataclass(frozen=True)
class Customer:
    """Row of a choice of customers."""

    conversation: str
    """Their latest conversation."""
    name: str
    """As the channel reported it; may be empty or hostile."""
    channel: str


def alike(
    connection: Connection, conversation_id: str, query: str, seen: Scope = EVERYTHING
) -> list[Customer]:
    """Other customers: those a search finds, or without words those of the same name.

    Raises:
        BadRequest: There is no such conversation (status 404).
    """
    own, c, k = get_conversation(connection, conversation_id), conversations.c, customers.c
    rows = sa.select(c.id, c.customer_id, c.channel, k.name).join(customers, k.id == c.customer_id)
    rows = rows.where(c.customer_id != own.customer_id, seen.condition()).order_by(
        c.last_message_at.desc()
    )
    if query.strip():
        rows = rows.where(c.id.in_(find.conversations(connection, query, seen)))
    else:
        name = sa.select(k.name).where(k.id == own.customer_id).scalar_subquery()
        rows = rows.where(k.name == name, k.name != "")
    made: dict[str, Customer] = {}
    for row in connection.execute(rows.limit(MOST * 4)):
        if row.customer_id not in made:
            made[row.customer_id] = Customer(row.id, row.name, row.channel)
    return list(made.values())[:MOST]
