"""Transcript of a conversation as plain text, without private notes."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from bot.conversation import store
from bot.desk.conversation import present
from bot.desk.people.scope import EVERYTHING, Scope
from bot.desk.texts import Texts
from bot.errors import BadRequest
from bot.files.rows import of_messages
from bot.stores.tables import messages

MOST_MESSAGES = 5000


def write(
    connection: Connection, conversation_id: str, texts: Texts, seen: Scope = EVERYTHING
) -> str:
    """Write the messages that may be read, oldest first, times in UTC; `texts` names the authors.

    Raises:
        BadRequest: There is no such conversation (status 404).
    """
    conversation = store.get(connection, conversation_id)
    if conversation is None:
        raise BadRequest("unknown-conversation", "There is no such conversation.", status=404)
    m = messages.c
    result = connection.execute(
        sa.select(messages)
        .where(m.conversation == conversation_id)
        .where(seen.reads(m.conversation, m.created_at, m.episode_id))
        .order_by(m.created_at.desc())
        .limit(MOST_MESSAGES)
    ).mappings()
    rows = list(result)
    files = of_messages(connection, conversation_id, [row["id"] for row in rows])
    channel = texts.word("channel", conversation.channel)
    lines = [texts.say("transcript.title", id=conversation_id, channel=channel), ""]
    for row in reversed(rows):
        who = texts.word("author", row["author"])
        name = f" {row['agent']}" if row["agent"] else ""
        # A line of its own for the text: it may hold line breaks and run right to left.
        lines += [f"{present.iso(row['created_at'])} {who}{name}", row["text"]]
        lines += [f"[{file.name}]" for file in files.get(row["id"], ())]
        lines.append("")
    return "\n".join(lines)
