"""Pages beside the inbox: users, canned replies, dead letters."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from sqlalchemy.engine import Connection

from bot.desk import app_keys, canned
from bot.desk.people import audit, scope, users
from bot.desk.people.users import Role
from bot.desk.web import done, form, page, require_admin, session_of
from bot.errors import BadRequest
from bot.streams import dead_letters


async def user_list(request: web.Request) -> web.StreamResponse:
    require_admin(request)

    def work(connection: Connection) -> dict[str, Any]:
        people = users.list_users(connection)
        names = {person.id: person.name for person in people}
        return {"people": people, "log": audit.latest(connection), "names": names}

    context = await request.app[app_keys.DATABASE].read(work)
    languages = request.app[app_keys.SETTINGS].languages
    return page(
        request,
        "users.html",
        roles=tuple(Role),
        languages=languages,
        least=users.PASSWORD_LEAST,
        **context,
    )


async def user_add(request: web.Request) -> web.StreamResponse:
    require_admin(request)
    fields, admin = await form(request), session_of(request).user
    chosen = [
        value for value in (await request.post()).getall("languages", []) if isinstance(value, str)
    ]

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


async def user_change(request: web.Request) -> web.StreamResponse:
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


async def canned_list(request: web.Request) -> web.StreamResponse:
    replies = await request.app[app_keys.DATABASE].read(canned.list_all)
    return page(request, "canned.html", replies=replies)


async def canned_save(request: web.Request) -> web.StreamResponse:
    require_admin(request)
    fields = await form(request)
    await request.app[app_keys.DATABASE].run(
        lambda c: canned.save(c, fields.get("shortcut", ""), fields.get("text", ""))
    )
    return done(request, "/canned")


async def canned_remove(request: web.Request) -> web.StreamResponse:
    require_admin(request)
    reply_id = request.match_info["reply"]
    await request.app[app_keys.DATABASE].run(lambda c: canned.remove(c, reply_id))
    return done(request, "/canned")


async def dead_letter_list(request: web.Request) -> web.StreamResponse:
    """Messages that could not be handled or delivered, newest first, with their error."""
    user = session_of(request).user

    def work(connection: Connection) -> list[dict[str, Any]]:
        rows = dead_letters.read_letters(connection)
        ids = [row["conversation"] for row in rows]
        seen = set(scope.of(connection, user).only(connection, ids))
        return [row for row in rows if row["conversation"] in seen or user.supervises]

    rows = await request.app[app_keys.DATABASE].read(work)
    may_replay = app_keys.REPLAY in request.app and session_of(request).user.is_admin
    return page(request, "dead_letters.html", letters=rows, may_replay=may_replay)


async def dead_letter_replay(request: web.Request) -> web.StreamResponse:
    require_admin(request)
    if app_keys.REPLAY not in request.app:
        raise BadRequest("no-replay", "This desk cannot replay messages.", status=409)
    letter, admin = request.match_info["letter"], session_of(request).user
    await request.app[app_keys.REPLAY](letter)
    await request.app[app_keys.DATABASE].run(
        lambda c: audit.write(c, admin.id, "dead-letter.replayed", letter)
    )
    return done(request, "/dead-letters")
