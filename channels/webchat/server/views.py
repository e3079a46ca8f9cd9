"""The pages: demo shop, loader, frame with its files, agents' photos."""

from __future__ import annotations

from aiohttp import web

from bot.errors import BadRequest
from channels.kit.app_keys import SETTINGS
from channels.webchat.server import pages, photos
from channels.webchat.server.guard import own_origin
from channels.webchat.server.pages import Assets
from channels.webchat.server.settings import WebchatSettings

ASSETS = web.AppKey("webchat_assets", Assets)

_FOR_EVER = "public, max-age=31536000, immutable"
_REVALIDATE = "no-cache"
_LOADER_CACHE = "public, max-age=300"


async def show_demo(request: web.Request) -> web.Response:
    settings, assets = request.app[SETTINGS], request.app[ASSETS]
    language = assets.language_for(
        request.query.get("language"), request.headers.get("Accept-Language", "")
    )
    page = assets.demo(next(iter(settings.of(WebchatSettings).sites), "demo"), language)
    policy = {"Content-Security-Policy": pages.DEMO_POLICY}
    return pages.serve(request, page, _REVALIDATE, policy)


async def show_loader(request: web.Request) -> web.Response:
    loader = request.app[ASSETS].file("widget.js")
    assert loader is not None  # noqa: S101 - Assets refuses to start without it
    # Other sites load it with `crossorigin` and an integrity attribute.
    headers = {"Access-Control-Allow-Origin": "*", "Cross-Origin-Resource-Policy": "cross-origin"}
    return pages.serve(request, loader, _LOADER_CACHE, headers)


async def show_frame(request: web.Request) -> web.Response:
    settings = request.app[SETTINGS]
    site = request.query.get("site", "")
    origin = request.query.get("origin", "")
    pages.check_embedding(settings, site, origin, own_origin(request))
    origins = pages.allowed_origins(settings, site)
    policy = {"Content-Security-Policy": pages.frame_policy(origins, request.host)}
    return pages.serve(request, request.app[ASSETS].frame(), _REVALIDATE, policy)


async def show_file(request: web.Request) -> web.Response:
    assets = request.app[ASSETS]
    asset = assets.file(request.match_info["name"])
    if asset is None:
        raise BadRequest("not-found", "no such file", status=404)
    current = request.match_info["version"] == assets.version
    return pages.serve(request, asset, _FOR_EVER if current else _REVALIDATE)


async def show_photo(request: web.Request) -> web.StreamResponse:
    path = photos.path_of(
        request.app[SETTINGS].of(WebchatSettings).agent_photos, request.match_info["photo"]
    )
    if path is None:
        raise BadRequest("not-found", "no such photo", status=404)
    headers = {
        "Content-Type": photos.TYPES[path.suffix.lower()],
        "Cache-Control": "public, max-age=3600",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "sandbox; default-src 'none'",
    }
    return web.FileResponse(path, headers=headers)
