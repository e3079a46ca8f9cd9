"""The page of canned replies, and the same for the composer's menu."""

from __future__ import annotations

from aiohttp import web

from bot.desk import app_keys
from bot.desk.pages.canned import queries
from bot.desk.web import done, form, page, require_admin


async def show(request: web.Request) -> web.StreamResponse:
    replies = await request.app[app_keys.DATABASE].read(queries.list_all)
    return page(request, "pages/canned/template.html", replies=replies)


async def save(request: web.Request) -> web.StreamResponse:
    require_admin(request)
    fields = await form(request)
    await request.app[app_keys.DATABASE].run(
        lambda c: queries.save(c, fields.get("shortcut", ""), fields.get("text", ""))
    )
    return done(request, "/canned")


async def remove(request: web.Request) -> web.StreamResponse:
    require_admin(request)
    reply_id = request.match_info["reply"]
    await request.app[app_keys.DATABASE].run(lambda c: queries.remove(c, reply_id))
    return done(request, "/canned")


async def choices(request: web.Request) -> web.StreamResponse:
    """All canned replies as JSON for the composer's menu."""
    replies = await request.app[app_keys.DATABASE].read(queries.list_all)
    return web.json_response([{"shortcut": r.shortcut, "text": r.text} for r in replies])


ROUTES = (
    web.get("/canned", show),
    web.post("/canned", save),
    web.post("/canned/{reply}/remove", remove),
    web.get("/canned.json", choices),
)
