"""The files of the widget: loader, frame, modules, demo shop. Read once, served from memory.

Everything below `/webchat/static/<version>/` may be cached for ever, because the version is a
digest of all of it; the pages that name a version are revalidated.
"""

from __future__ import annotations

import gzip
import hashlib
import html
import json
import mimetypes
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web
from rcssmin import cssmin
from rjsmin import jsmin

from bot.errors import BadRequest
from bot.language.codes import direction, name, normalise
from bot.settings import Settings
from channels.kit.customer_texts import customer_texts, read_folder
from channels.webchat.server.bundle import bundle
from channels.webchat.server.settings import WebchatSettings

FOLDER = Path(__file__).parents[1] / "static"
TEXTS = FOLDER / "texts"
_ORIGIN = re.compile(r"https?://[a-z0-9.\-\[\]:]{1,255}")
_HOST = re.compile(r"[a-z0-9.:-]{1,255}")
_SITE = re.compile(r"[A-Za-z0-9_-]{1,64}")
_SMALL = 1024
_ALONE = frozenset({"widget.js", "demo.js"})
"""Scripts of the pages around the frame; all others are its modules."""
_SHORTENED: dict[str, Callable[[str], str]] = {".js": jsmin, ".css": cssmin}
_HARDENED = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


@dataclass(frozen=True)
class Asset:
    """One file, ready to send."""

    content: bytes
    packed: bytes
    """The same, gzipped; empty where that is not worth it."""
    content_type: str
    etag: str


class Assets:
    """The static folder, in memory."""

    def __init__(self, settings: Settings) -> None:
        raw = {path.name: path.read_bytes() for path in sorted(FOLDER.iterdir()) if path.is_file()}
        widget = settings.of(WebchatSettings)
        own, shared = read_folder(TEXTS), customer_texts()
        self.texts: dict[str, dict[str, str]] = {
            language: {**shared.get(language, {}), **own[language]}
            for language in sorted(own, key=_place(settings))
        }
        for language, texts in self.texts.items():
            shown = {key: text for key, text in texts.items() if not key.startswith("demo_")}
            shown["direction"] = direction(language)
            raw[f"{language}.json"] = _compact(shown).encode()
        digest = hashlib.sha256()
        for file, content in raw.items():
            digest.update(f"{file}\0{len(content)}\0".encode() + content)
        self.version = digest.hexdigest()[:12]
        opening = {language: texts["open"] for language, texts in self.texts.items()}
        self._demo = raw["demo.html"].decode().replace("{{version}}", self.version)
        self._frame = _fill(
            raw["frame.html"].decode(),
            {
                "version": self.version,
                "languages": " ".join(self.texts),
                "consent": widget.consent,
                "consent_version": widget.consent_version,
                "business": html.escape(settings.business_name, quote=True),
                "privacy_url": html.escape(widget.privacy_url, quote=True),
            },
        )
        loader = raw["widget.js"].decode().replace("{{opening}}", _compact(opening))
        raw["widget.js"] = loader.encode()
        raw["frame.css"] += raw.pop("parts.css")
        modules = {
            file.removesuffix(".js"): raw.pop(file).decode()
            for file in tuple(raw)
            if file.endswith(".js") and file not in _ALONE
        }
        raw["frame.js"] = bundle(modules, "frame").encode()
        for file, content in raw.items():
            if shorten := _SHORTENED.get(Path(file).suffix):
                raw[file] = shorten(content.decode()).encode()
        self._business = settings.business_name
        self._files = {file: _asset(file, content) for file, content in raw.items()}

    def file(self, name: str) -> Asset | None:
        return self._files.get(name)

    def frame(self) -> Asset:
        return _asset("frame.html", self._frame.encode())

    def demo(self, site: str, language: str) -> Asset:
        """Fill in the demo shop; every value is one of ours or escaped."""
        texts = self.texts.get(language) or self.texts["en"]
        links = "".join(
            f'<a href="?language={code}" lang="{code}" hreflang="{code}"'
            f"{' aria-current=true' if code == language else ''}>{html.escape(name(code))}</a>"
            for code in self.texts
        )
        values = {
            **{f"text.{key}": html.escape(text) for key, text in texts.items()},
            "site": html.escape(site, quote=True),
            "business": html.escape(self._business),
            "language": language,
            "direction": direction(language),
            "links": links,
        }
        return _asset("demo.html", _fill(self._demo, values).encode())

    def language_for(self, wanted: str | None, accepted: str) -> str:
        """Choose the demo's language: asked for, else the browser's first that we have."""
        tags = [wanted or "", *(part.partition(";")[0] for part in accepted[:500].split(","))]
        return next((code for tag in tags if (code := normalise(tag)) in self.texts), "en")


def _asset(file: str, content: bytes) -> Asset:
    kind = mimetypes.guess_type(file)[0] or "application/octet-stream"
    if file.endswith(".js"):
        kind = "text/javascript"
    packed = gzip.compress(content, 9, mtime=0) if len(content) > _SMALL else b""
    text = kind.startswith("text/") or kind in {"application/json", "image/svg+xml"}
    return Asset(
        content,
        packed if len(packed) < len(content) else b"",
        f"{kind}; charset=utf-8" if text else kind,
        f'"{hashlib.sha256(content).hexdigest()[:20]}"',
    )


def _place(settings: Settings) -> Callable[[str], tuple[int, str]]:
    """Order languages as the settings do, others behind them."""
    order = settings.languages
    return lambda language: (
        order.index(language) if language in order else len(order),
        language,
    )


def _fill(page: str, values: Mapping[str, str]) -> str:
    return re.sub(r"\{\{([a-z0-9_.]+)\}\}", lambda hole: values[hole[1]], page)


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def serve(
    request: web.Request, asset: Asset, cache: str, headers: Mapping[str, str] | None = None
) -> web.Response:
    """Answer with a file, or 304 when the browser has it."""
    sent = {
        **_HARDENED,
        "Cache-Control": cache,
        "ETag": asset.etag,
        "Vary": "Accept-Encoding",
        **(headers or {}),
    }
    if request.headers.get("If-None-Match") == asset.etag:
        return web.Response(status=304, headers=sent)
    sent["Content-Type"] = asset.content_type
    if asset.packed and "gzip" in request.headers.get("Accept-Encoding", ""):
        return web.Response(body=asset.packed, headers={**sent, "Content-Encoding": "gzip"})
    return web.Response(body=asset.content, headers=sent)


def allowed_origins(settings: Settings, site: str) -> tuple[str, ...]:
    """Return the origins that may embed a site's widget.

    Raises:
        BadRequest: `unknown-site`.
    """
    sites = settings.of(WebchatSettings).sites
    if not _SITE.fullmatch(site) or site not in sites:
        raise BadRequest("unknown-site", "no such site key; see WEBCHAT_SITES", status=404)
    return sites[site]


def check_embedding(settings: Settings, site: str, origin: str, own: str) -> None:
    """Refuse a page that may not embed the widget.

    A stranger's program can claim any origin and gains nothing by it; a stranger's page cannot,
    because `frame-ancestors` says the same to the browser.

    Args:
        origin: What the loader says; empty when the frame stands alone.
        own: Our own origin, which may always embed (the demo page).

    Raises:
        BadRequest: `unknown-site` or `origin-not-allowed`.
    """
    origins = allowed_origins(settings, site)
    wanted = origin.lower().rstrip("/")
    if not wanted or wanted == own or wanted in {o.lower() for o in origins}:
        return
    if "*" in origins and _ORIGIN.fullmatch(wanted):
        return
    raise BadRequest("origin-not-allowed", f"{site} may not be embedded there", status=403)


def frame_policy(origins: tuple[str, ...], host: str) -> str:
    """Write the frame's Content-Security-Policy.

    Args:
        origins: Who may embed it.
        host: Our own host and port; named for browsers in which 'self' leaves WebSockets out.
    """
    # The client chooses the Host header, and it becomes part of another header here.
    own = f" ws://{host} wss://{host}" if _HOST.fullmatch(host) else ""
    ancestors = "*" if "*" in origins else " ".join(("'self'", *origins))
    # Pictures of cards may come from the shop's own site; a customer's own from their disk.
    shops = "".join(f" {origin}" for origin in origins if origin.startswith("https://"))
    return (
        f"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:{shops}; "
        f"connect-src 'self'{own}; base-uri 'none'; form-action 'none'; "
        f"frame-ancestors {ancestors}"
    )


DEMO_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "frame-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
