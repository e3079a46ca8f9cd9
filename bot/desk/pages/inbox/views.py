"""The inbox: list, thread and side, as a page or as the fragments its scripts ask for."""

from __future__ import annotations

import time
from typing import Any

from aiohttp import web
from sqlalchemy.engine import Connection

from bot.desk import app_keys
from bot.desk.acting import conversation_of
from bot.desk.conversation import labels, transcript
from bot.desk.conversation import thread as threads
from bot.desk.lists.filters import Filters, View
from bot.desk.pages.inbox import actions, files, lists, moves, queries, translate
from bot.desk.people import audit, scope
from bot.desk.search import index
from bot.desk.web import CONVERSATION, RENDERER, page, session_of, texts_of
from bot.errors import BadRequest
from bot.routing import presence


async def start(request: web.Request) -> web.StreamResponse:
    raise web.HTTPSeeOther("/inbox/waiting")


async def inbox(request: web.Request) -> web.StreamResponse:
    """One view, with a conversation if the address names one.

    The header `X-Fragment` asks for a part: `list`, `rows` (the next page of it) or `thread`.
    """
    view = _view(request)
    filters = _filters(request)
    fragment = request.headers.get("X-Fragment", "")
    if fragment == "thread":
        return await _thread_fragment(request)
    context = await _list_context(request, view, filters)
    if fragment == "rows":
        return page(request, "pages/inbox/_rows.html", **context)
    if fragment == "list":
        return page(request, "pages/inbox/_list.html", **context)
    thread = await _thread(request)
    context.update(await _thread_context(request, thread))
    context["online"] = await presence.count_online(request.app[app_keys.REDIS])
    return page(request, "pages/inbox/template.html", **context)


async def earlier(request: web.Request) -> web.StreamResponse:
    """Items older than `before` (Unix seconds), as JSON for the page to put on top."""
    try:
        before = float(request.query.get("before", ""))
    except ValueError:
        raise BadRequest("bad-before", "before is a number of seconds") from None
    thread = await _thread(request, before=before)
    if thread is None:
        raise web.HTTPNotFound
    pieces = request.app[RENDERER].pieces(thread.items, thread.names, texts_of(request))
    items = [{"id": p.id, "at": p.at, "html": p.html} for p in pieces]
    return web.json_response({"items": items, "more": thread.more})


async def transcript_file(request: web.Request) -> web.StreamResponse:
    """The conversation as a text file; who took it out is in the audit log."""
    user, conversation = session_of(request).user, conversation_of(request)
    texts = texts_of(request)

    def work(connection: Connection) -> str:
        audit.write(connection, user.id, "transcript.exported", conversation)
        return transcript.write(connection, conversation, texts, scope.of(connection, user))

    text = await request.app[app_keys.DATABASE].run(work)
    name = f'attachment; filename="{conversation}.txt"'
    return web.Response(
        text=text,
        content_type="text/plain",
        charset="utf-8",
        headers={"Content-Disposition": name},
    )


async def _thread_fragment(request: web.Request) -> web.Response:
    thread = await _thread(request)
    context = await _thread_context(request, thread)
    return page(request, "pages/inbox/_conversation.html", view=_view(request), **context)


async def _list_context(request: web.Request, view: View, filters: Filters) -> dict[str, Any]:
    user, database = session_of(request).user, request.app[app_keys.DATABASE]
    offset = _offset(request)
    if filters.search:
        # What was said a second ago is to be found, too.
        await index.refresh(database)
    context = await database.read(lambda c: queries.list_of(c, user, view, filters, offset))
    return {
        **context,
        "view": view,
        "views": tuple(View),
        "filters": filters,
        "now": time.time(),
        "chosen": request.query.get("saved", "")[:64],
    }


async def _thread_context(request: web.Request, thread: threads.Thread | None) -> dict[str, Any]:
    if thread is None:
        return {"thread": None, "pieces": [], "known_labels": []}
    pieces = request.app[RENDERER].pieces(thread.items, thread.names, texts_of(request))
    user = session_of(request).user
    known_labels = await request.app[app_keys.DATABASE].read(
        lambda c: labels.in_use(c, scope.of(c, user))
    )
    return {"thread": thread, "pieces": pieces, "known_labels": known_labels}


async def _thread(request: web.Request, before: float | None = None) -> threads.Thread | None:
    conversation = request.match_info.get("conversation", "")
    if not conversation:
        return None
    user, suggester = session_of(request).user, request.app[app_keys.SUGGESTER]

    def work(connection: Connection) -> threads.Thread | None:
        if before is None:
            return suggester.load(connection, conversation, user.id)
        return threads.load(connection, conversation, user.id, before=before)

    found = await request.app[app_keys.DATABASE].read(work)
    if found is None:
        raise BadRequest("unknown-conversation", "There is no such conversation.", status=404)
    return found


def _view(request: web.Request) -> View:
    try:
        return View(request.match_info.get("view", ""))
    except ValueError:
        raise BadRequest("unknown-view", "There is no such list.", status=404) from None


def _filters(request: web.Request) -> Filters:
    return Filters.of(request.query)


def _offset(request: web.Request) -> int:
    raw = request.query.get("offset", "0")
    return min(int(raw), 1_000_000) if raw.isascii() and raw.isdigit() and len(raw) < 9 else 0


ROUTES = (
    web.get("/", start),
    web.get("/inbox/{view}", inbox),
    web.get("/inbox/{view}/{conversation:[A-Za-z0-9_-]{1,64}}", inbox),
    web.get(CONVERSATION + "/earlier", earlier),
    web.get(CONVERSATION + "/transcript.txt", transcript_file),
    *actions.ROUTES,
    *files.ROUTES,
    *lists.ROUTES,
    *moves.ROUTES,
    *translate.ROUTES,
)
