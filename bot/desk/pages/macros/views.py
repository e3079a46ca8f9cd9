"""The page where administrators write macros, and the same for the dialog that runs one."""

from __future__ import annotations

from aiohttp import web
from sqlalchemy.engine import Connection

from bot.desk import app_keys
from bot.desk.pages.macros import queries, steps
from bot.desk.pages.macros.run import run
from bot.desk.people import audit
from bot.desk.web import CONVERSATION, done, form, page, require_admin, session_of, texts_of


async def show(request: web.Request) -> web.StreamResponse:
    stored = await request.app[app_keys.DATABASE].read(queries.list_all)
    texts = texts_of(request)
    listed = [(macro, [steps.in_words(texts, step) for step in macro.steps]) for macro in stored]
    return page(request, "pages/macros/template.html", macros=listed)


async def save(request: web.Request) -> web.StreamResponse:
    require_admin(request)
    fields, user = await form(request), session_of(request).user
    topics = request.app[app_keys.TOPICS]
    wanted = steps.parse(fields, topics)

    def work(connection: Connection) -> None:
        made = queries.save(connection, fields.get("name", ""), wanted)
        audit.write(connection, user.id, "macro.saved", made.id)

    await request.app[app_keys.DATABASE].run(work)
    return done(request, "/macros")


async def remove(request: web.Request) -> web.StreamResponse:
    require_admin(request)
    macro_id, user = request.match_info["macro"], session_of(request).user

    def work(connection: Connection) -> None:
        queries.remove(connection, macro_id)
        audit.write(connection, user.id, "macro.removed", macro_id)

    await request.app[app_keys.DATABASE].run(work)
    return done(request, "/macros")


async def choices(request: web.Request) -> web.StreamResponse:
    """All macros as JSON for the page's dialog: `id`, `name`, `does` (one line)."""
    stored = await request.app[app_keys.DATABASE].read(queries.list_all)
    texts = texts_of(request)
    return web.json_response(
        [
            {
                "id": macro.id,
                "name": macro.name,
                "does": " · ".join(steps.in_words(texts, step) for step in macro.steps),
            }
            for macro in stored
        ]
    )


ROUTES = (
    web.get("/macros", show),
    web.post("/macros", save),
    web.post("/macros/{macro}/remove", remove),
    web.get("/macros.json", choices),
    web.post(CONVERSATION + "/macros/{macro}", run),
)
