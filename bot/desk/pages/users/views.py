"""The page of users, and the log of who changed what."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from sqlalchemy.engine import Connection

from bot.desk import app_keys
from bot.desk.people import audit, users
from bot.desk.people.users import Role
from bot.desk.web import done, form, page, posted, require_admin, session_of
from bot.errors import BadRequest


async def show(request: web.Request) -> web.StreamResponse:
    require_admin(request)

    def work(connection: Connection) -> dict[str, Any]:
        people = users.list_users(connection)
        names = {person.id: person.name for person in people}
        return {"people": people, "log": audit.latest(connection), "names": names}

    context = await request.app[app_keys.DATABASE].read(work)
    languages = request.app[app_keys.SETTINGS].languages
    return page(
        request,
        "pages/users/template.html",
        roles=tuple(Role),
        languages=languages,
        least=users.PASSWORD_LEAST,
        **context,
    )


async def add(request: web.Request) -> web.StreamResponse:
    require_admin(request)
    fields, admin = await form(request), session_of(request).user
    chosen = (await posted(request)).get("languages", [])

    def work(connection: Connection) -> None:
        made = users.add_user(
            connection,
            login=fields.get("login", ""),
            name=fields.get("name", ""),
            role=fields.get("role", ""),
            password=fields.get("password", ""),
            languages=[code[:16] for code in chosen[:40]],
        )
        audit.write(connection, admin.id, "user.added", made.id, login=made.login, role=made.role)

    await request.app[app_keys.DATABASE].run(work)
    return done(request, "/users")


async def change(request: web.Request) -> web.StreamResponse:
    """`disable`, `enable` or `password`, as the address says."""
    require_admin(request)
    fields, admin = await form(request), session_of(request).user
    user_id, what = request.match_info["user"], request.match_info["what"]
    if what == "disable" and user_id == admin.id:
        raise BadRequest("own-account", "You cannot disable yourself.", status=409)

    def work(connection: Connection) -> None:
        if what == "password":
            users.set_password(connection, user_id, fields.get("password", ""))
        else:
            users.set_disabled(connection, user_id, what == "disable")
        audit.write(connection, admin.id, f"user.{what}", user_id)

    await request.app[app_keys.DATABASE].run(work)
    if what != "enable":
        request.app[app_keys.HUB].dismiss(user_id)
    return done(request, "/users")


ROUTES = (
    web.get("/users", show),
    web.post("/users", add),
    web.post("/users/{user}/{what:disable|enable|password}", change),
)
