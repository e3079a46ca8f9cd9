"""Code that pages share for actions on a conversation: its address, notes, held-back replies."""

from __future__ import annotations

from aiohttp import web
from sqlalchemy.engine import Connection

from bot.desk import app_keys
from bot.desk.conversation import mentions, notes
from bot.desk.conversation import thread as threads
from bot.desk.people import scope
from bot.desk.web import session_of
from bot.errors import BadRequest


def conversation_of(request: web.Request) -> str:
    """Id of the conversation the address names."""
    return request.match_info["conversation"]


def page_of(request: web.Request, view: str) -> str:
    """Address of the conversation in a list of the inbox."""
    return f"/inbox/{view}/{conversation_of(request)}"


async def hold_back(request: web.Request, fields: dict[str, str]) -> None:
    """Compare `last`, the newest customer message on the page, with the newest there is.

    Raises:
        BadRequest: The customer wrote something the page did not show yet (status 409).
    """
    last, conversation = fields.get("last"), conversation_of(request)
    if last is None:
        return
    user = session_of(request).user
    newest = await request.app[app_keys.DATABASE].read(
        lambda c: threads.last_customer_message(c, conversation, scope.of(c, user))
    )
    if newest != last[:96]:
        raise BadRequest(
            "thread-changed", "The customer wrote again. Read it, then send.", status=409
        )


async def write_note(request: web.Request, text: str, key: str) -> None:
    """Store a note once per key, and notify the colleagues it names."""
    user, conversation = session_of(request).user, conversation_of(request)

    def work(connection: Connection) -> list[str]:
        if not notes.add(connection, conversation, user.id, text, key=key):
            return []
        return mentions.add(connection, conversation, notes.id_of(key), user.id, text)

    called = await request.app[app_keys.DATABASE].run(work)
    hub = request.app[app_keys.HUB]
    await hub.publish(conversation, "note")
    for user_id in called:
        await hub.publish(conversation, "mention", user=user_id, by=user.name)
