"""The page on which users switch their second factor on, off, and make new recovery codes."""

from __future__ import annotations

import time
from typing import Any

import sqlalchemy as sa
from aiohttp import web
from markupsafe import Markup
from sqlalchemy.engine import Connection

from bot.desk import app_keys
from bot.desk.confirming import check_password, count_attempt
from bot.desk.people import audit, second_factor
from bot.desk.web import form, page, problem_of, session_of
from bot.errors import BadRequest
from bot.stores.tables import sessions


async def show(request: web.Request) -> web.StreamResponse:
    return await _page(request)


async def begin(request: web.Request) -> web.StreamResponse:
    """Make a secret for who knows the password, and show it until a code confirms it."""
    fields, user = await form(request), session_of(request).user
    try:
        await check_password(request, fields.get("current", ""))
    except BadRequest as error:
        return await _page(request, error)
    await request.app[app_keys.DATABASE].run(lambda c: second_factor.begin(c, user.id, time.time()))
    raise web.HTTPSeeOther("/second-factor")


async def confirm(request: web.Request) -> web.StreamResponse:
    """Switch it on with the first code; other browsers, which showed none, are logged out."""
    fields, session = await form(request), session_of(request)
    user, secret = session.user, request.app[app_keys.SECRET]

    def work(connection: Connection) -> list[str]:
        code = fields.get("code", "")[:64]
        codes = second_factor.confirm(connection, secret, user.id, code, time.time())
        if codes is None:
            raise BadRequest("wrong-code", "The code is wrong or was used.", 403)
        s = sessions.c
        others = sa.and_(s.user_id == user.id, s.digest != session.digest)
        connection.execute(sa.delete(sessions).where(others))
        audit.write(connection, user.id, "user.factor_on", user.id)
        return codes

    try:
        await count_attempt(request)
        codes = await request.app[app_keys.DATABASE].run(work)
    except BadRequest as error:
        return await _page(request, error)
    request.app[app_keys.HUB].dismiss(user.id)
    return await _page(request, codes=codes)


async def renew(request: web.Request) -> web.StreamResponse:
    """Make new recovery codes, shown once; the old ones are worth nothing."""

    def work(connection: Connection, user_id: str) -> list[str]:
        audit.write(connection, user_id, "user.factor_codes", user_id)
        return second_factor.renew_recovery_codes(connection, user_id)

    try:
        codes = await _with_both(request, work)
    except BadRequest as error:
        return await _page(request, error)
    return await _page(request, codes=codes)


async def switch_off(request: web.Request) -> web.StreamResponse:
    def work(connection: Connection, user_id: str) -> bool:
        audit.write(connection, user_id, "user.factor_off", user_id)
        return second_factor.remove(connection, user_id)

    try:
        await _with_both(request, work)
    except BadRequest as error:
        return await _page(request, error)
    raise web.HTTPSeeOther("/second-factor")


async def _with_both(request: web.Request, work: Any) -> Any:
    """Do what needs password and code again: an open desk alone must not be enough.

    Raises:
        BadRequest: One of them is wrong (status 403), or there were too many attempts (429).
    """
    fields, user = await form(request), session_of(request).user
    secret = request.app[app_keys.SECRET]
    await check_password(request, fields.get("current", ""))

    def checked(connection: Connection) -> Any:
        code = fields.get("code", "")[:64]
        if not second_factor.accept(connection, secret, user.id, code, time.time()):
            raise BadRequest("wrong-code", "The code is wrong or was used.", 403)
        return work(connection, user.id)

    return await request.app[app_keys.DATABASE].run(checked)


async def _page(
    request: web.Request, error: BadRequest | None = None, codes: list[str] | None = None
) -> web.Response:
    """Render the page as things stand.

    Args:
        codes: New recovery codes, to be shown this once.
    """
    user, settings = session_of(request).user, request.app[app_keys.SETTINGS]
    secret = request.app[app_keys.SECRET]

    def read(connection: Connection) -> dict[str, Any]:
        factor = second_factor.find(connection, user.id, time.time())
        letters = address = ""
        if factor is not None and factor.on_since is None:
            letters, address = second_factor.address(
                connection, secret, user.id, login=user.login, issuer=settings.business_name
            )
        return {"factor": factor, "letters": _in_fours(letters), "code": _drawn(address)}

    return page(
        request,
        "pages/second_factor/template.html",
        status=error.status if error else 200,
        message=problem_of(request, error) if error else "",
        codes=codes or (),
        **await request.app[app_keys.DATABASE].read(read),
    )


def _in_fours(letters: str) -> str:
    return " ".join(letters[at : at + 4] for at in range(0, len(letters), 4))


def _drawn(address: str) -> Markup:
    """A QR code as SVG, dark on light in every scheme, or cameras do not find it."""
    if not address:
        return Markup()
    import segno  # a megabyte that few processes ever need

    made = segno.make(address, error="m", micro=False)
    svg = made.svg_inline(scale=1, border=4, dark="#000", light="#fff", omitsize=True)
    return Markup(svg)  # noqa: S704 - made of squares


ROUTES = (
    web.get("/second-factor", show),
    web.post("/second-factor/begin", begin),
    web.post("/second-factor/confirm", confirm),
    web.post("/second-factor/codes", renew),
    web.post("/second-factor/off", switch_off),
)
