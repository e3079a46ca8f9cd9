"""Open a session: who is this visitor, and have they agreed?"""

from __future__ import annotations

import time

from aiohttp import web

from bot.errors import NotAuthenticated, TooMany
from bot.streams import addresses, generations
from channels.kit.app_keys import DATABASE, REDIS, SETTINGS
from channels.webchat.server import consent, pages, receive, session, throttle
from channels.webchat.server.guard import (
    NO_STORE,
    SECRET,
    address_of,
    check_own_origin,
    digest_of,
    own_origin,
    read_body,
    verified,
)


async def open_session(request: web.Request) -> web.Response:
    """Give a token: a new visitor, the same one again, or the customer the site vouches for.

    With `consent` in the body, the visitor has just agreed to the wording of that version, or did
    so in this browser before they logged in; it is stored once for each conversation.
    """
    settings, secret, now = request.app[SETTINGS], request.app[SECRET], time.time()
    check_own_origin(request)
    data = receive.read_object(await read_body(request), settings)
    site = receive.field(data, "site")
    pages.check_embedding(settings, site, receive.field(data, "origin"), own_origin(request))
    agreed = receive.field(data, "consent")
    consent.check_version(settings, agreed)
    known = await _known_visitor(request, receive.field(data, "token"), site)
    identity = receive.field(data, "identity")
    if identity:
        visitor = session.identified_visitor(secret, site, identity, now=now)
    else:
        visitor = known.visitor if known is not None else ""
    before = known.consent if known is not None and known.visitor == visitor else ""
    has_agreed = bool(agreed) and agreed != before
    if not visitor or has_agreed:
        # A new visitor, or a row to be written.
        allowance, address = throttle.sessions_per_address(settings), address_of(request)
        await throttle.spend(request.app[REDIS], (allowance, address), now=now)
        if not visitor and await addresses.is_blocked(
            request.app[REDIS], digest_of(secret, address)
        ):
            raise TooMany(allowance.left_s(now))
    # Without the site's word a customer's session goes on as long as it had, and no longer.
    vouched = identity or known is None or not known.is_identified
    ended = 0
    if visitor:
        conversation = session.session_of(site, visitor, 0.0).conversation
        ended = await generations.for_new_session(request.app[REDIS], conversation)
    token, visitor = session.issue(
        secret,
        site,
        now=now,
        visitor=visitor,
        consent=agreed or before,
        generation=ended,
        until=0.0 if vouched or known is None else known.expires_at,
    )
    opened = session.verify(secret, token, settings, now=now)
    database = request.app[DATABASE]
    if has_agreed and not await database.read(lambda c: consent.is_kept(c, opened)):
        locale, zone = receive.field(data, "locale"), receive.zone(data)
        await database.run(lambda c: consent.keep(c, opened, locale=locale, zone=zone, now=now))
    body = {
        "token": token,
        "visitor": visitor,
        "conversation": opened.conversation,
        "expires_at": int(opened.expires_at),
        "business": settings.business_name,
        "languages": list(settings.languages),
        "max_text_chars": settings.max_text_chars,
        "max_file_bytes": settings.max_file_bytes,
        "file_types": list(settings.file_types),
        "consent": opened.consent,
    }
    return web.json_response(body, headers=NO_STORE)


async def _known_visitor(request: web.Request, token: str, site: str) -> session.Session | None:
    try:
        known = await verified(request.app, token)
    except NotAuthenticated:
        return None
    return known if known.site == site else None
