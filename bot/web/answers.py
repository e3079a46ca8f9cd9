"""What every answer says or does not say, whichever application gives it."""

from __future__ import annotations

from aiohttp import hdrs, web

SERVER = "samvad"
"""In place of the names and versions of our libraries, which tell strangers what to look up."""
HSTS = "max-age=31536000"
"""A year in which browsers come by https alone; other hosts of the domain are not ours to bind."""


def harden(app: web.Application, public_url: str) -> None:
    """Have an application name no versions, and over https ask browsers to stay there.

    Args:
        public_url: Where browsers reach us; may be empty.
    """
    is_secure = public_url.startswith("https://")

    async def prepare(_: web.Request, response: web.StreamResponse) -> None:
        response.headers[hdrs.SERVER] = SERVER
        if is_secure:
            response.headers.setdefault("Strict-Transport-Security", HSTS)

    app.on_response_prepare.append(prepare)
