"""Files at the desk: what customers sent, and what agents send. docs/attachments.md."""

from __future__ import annotations

import sqlalchemy as sa
import structlog
from aiohttp import web
from sqlalchemy.engine import Connection

from bot.conversation import store
from bot.conversation.states import State
from bot.desk import app_keys
from bot.desk.people import scope
from bot.desk.people.users import User
from bot.desk.web import CONVERSATION, agent_of, session_of
from bot.errors import BadRequest, TransitionRefused
from bot.files import http, rows
from bot.files.upload import store_upload
from bot.stores import tables

log = structlog.get_logger()


async def show(request: web.Request) -> web.StreamResponse:
    """Send a file to whoever may see its conversation."""
    id_, user = request.match_info["file"], session_of(request).user
    database = request.app[app_keys.DATABASE]
    row = await database.read(lambda c: rows.get(c, id_))
    if row is None:
        raise BadRequest("not-found", "there is no such file", status=404)
    if not await database.read(lambda c: _may_read(c, user, id_)):
        raise BadRequest("not-found", "there is no such file", status=404)
    return await http.send_file(request, request.app[app_keys.FILES], row)


def _may_read(connection: Connection, user: User, id_: str) -> bool:
    """Tell whether a user may read what a file was sent with; an upload not sent yet has none."""
    f, m, seen = tables.files.c, tables.messages.c, scope.of(connection, user)
    at = sa.func.coalesce(m.created_at, f.created_at)
    episode = sa.func.coalesce(m.episode_id, "")
    query = (
        sa.select(f.conversation)
        .outerjoin(tables.messages, sa.and_(m.id == f.message, m.conversation == f.conversation))
        .where(f.id == id_, seen.reads(f.conversation, at, episode))
    )
    conversation = connection.execute(query).scalar()
    return conversation is not None and seen.covers(connection, conversation)


async def upload(request: web.Request) -> web.Response:
    """Store a file that a reply of this agent may name; only theirs is the conversation."""
    app, agent = request.app, agent_of(request)
    conversation = request.match_info["conversation"]
    current = await app[app_keys.DATABASE].read(lambda c: store.get(c, conversation))
    if current is None or current.owner != agent.id or current.state not in _ANSWERED:
        raise TransitionRefused(
            conversation, current.state if current else State.CLOSED, State.ASSIGNED
        )
    settings = app[app_keys.SETTINGS]
    arriving = await http.read_upload(request, settings.max_file_bytes)
    attachment = await store_upload(
        settings,
        app[app_keys.DATABASE],
        app[app_keys.FILES],
        arriving.chunks,
        name=arriving.name,
        claimed=arriving.claimed,
        conversation=conversation,
        author="agent",
        user_id=agent.id,
    )
    log.info(
        "desk.uploaded",
        conversation_id=conversation,
        file_id=attachment.id,
        type=attachment.type,
        bytes=attachment.size,
    )
    return web.json_response(http.upload_reply(attachment), status=201)


_ANSWERED = frozenset({State.ASSIGNED, State.SNOOZED})
"""States in which an agent may answer."""

ROUTES = (
    web.post(CONVERSATION + "/files", upload),
    web.get("/files/{file:[A-Za-z0-9_-]{1,64}}", show),
)
