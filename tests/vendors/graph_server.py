"""A local Graph API that refuses what the real one refuses, written from Meta's documentation
(sources in channels/facebook/limits.py) and not from our code."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from vendors.forms import SentFile, read_call

APP_SECRET = "app-secret"
PAGE = "1001"
TOKEN = "page-token-AA"
DAY = 86400.0


def length(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


class Refused(Exception):
    """An error answer."""

    def __init__(
        self, message: str, code: int = 100, sub: int | None = None, status: int = 400
    ) -> None:
        super().__init__(message)
        self.status = status
        self.error = {"message": message, "type": "OAuthException", "code": code}
        if sub:
            self.error["error_subcode"] = sub


@dataclass
class GraphServer:
    """Pages' view of Messenger."""

    pages: dict[str, str] = field(default_factory=lambda: {PAGE: TOKEN})
    """Page id → token."""
    url: str = ""
    sent: list[dict[str, Any]] = field(default_factory=list)
    """Messages taken, in order; with `page`."""
    actions: list[str] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    """What customers sent, by name."""
    wrote_at: dict[str, float] = field(default_factory=dict)
    """Customer → when they last wrote; others wrote just now."""
    blocked: set[str] = field(default_factory=set)
    unknown: set[str] = field(default_factory=set)
    failures: list[Refused] = field(default_factory=list)
    """Answers to the next messages."""
    personas: list[dict[str, str]] = field(default_factory=list)
    profile: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Page → messenger profile."""
    subscribed: dict[str, list[str]] = field(default_factory=dict)
    customers: dict[str, dict[str, str]] = field(default_factory=dict)
    knows_locale: bool = True

    @property
    def graph_url(self) -> str:
        return f"{self.url}/v25.0"

    def make_app(self) -> web.Application:
        app = web.Application(client_max_size=30_000_000)
        app.router.add_route("*", "/v25.0/{path:.*}", self._serve)
        app.router.add_get("/cdn/{name}", self._give)
        return app

    async def _give(self, request: web.Request) -> web.Response:
        """A file a customer sent, as Meta's CDN has it."""
        content = self.files.get(request.match_info["name"])
        return web.Response(status=404) if content is None else web.Response(body=content)

    async def _serve(self, request: web.Request) -> web.Response:
        try:
            page = self._page(request)
            body, file = await read_call(request)
            if file is not None:
                body["filedata"] = file
            node, _, edge = request.match_info["path"].partition("/")
            node = page if node == "me" else node
            name = f"_{request.method.lower()}_{edge or 'node'}"
            handler = getattr(self, name, None)
            if handler is None:
                raise Refused(f"Unknown path components: /{edge}", 2500)
            return web.json_response(handler(page, node, body, request.query))
        except Refused as refused:
            return web.json_response({"error": refused.error}, status=refused.status)

    def _page(self, request: web.Request) -> str:
        token = request.query.get("access_token", "")
        page = next((p for p, t in self.pages.items() if t == token), None)
        if page is None:
            raise Refused("Invalid OAuth access token.", 190, status=401)
        proof = hmac.new(APP_SECRET.encode(), token.encode(), hashlib.sha256).hexdigest()
        if request.query.get("appsecret_proof") != proof:
            raise Refused("Invalid appsecret_proof provided in the API argument", 100)
        return page

    # — sending —

    def _post_messages(self, page: str, node: str, body: dict[str, Any], query: Any) -> Any:
        if node != page:
            raise Refused("Object does not exist", 100, 33)
        user = body.get("recipient", {}).get("id")
        if not isinstance(user, str) or user in self.unknown:
            raise Refused("(#100) No matching user found", 100, 2018001)
        if "sender_action" in body:
            if "message" in body or "messaging_type" in body:
                raise Refused("sender_action must be sent alone")
            if body["sender_action"] not in ("typing_on", "typing_off", "mark_seen"):
                raise Refused("(#100) Param sender_action is not valid")
            self.actions.append(body["sender_action"])
            return {"recipient_id": user}
        if self.failures:
            raise self.failures.pop(0)
        if user in self.blocked:
            raise Refused("(#551) This person isn't available right now.", 551, 1545041)
        self._check_type(user, body)
        if isinstance(file := body.get("filedata"), SentFile):
            self._check_file(body.get("message") or {}, file)
        else:
            self._check_message(body.get("message") or {})
        if "persona_id" in body and body["persona_id"] not in {p["id"] for p in self.personas}:
            raise Refused("Invalid persona")
        self.sent.append({**body, "page": page})
        return {"recipient_id": user, "message_id": f"m_{len(self.sent)}"}

    def _check_type(self, user: str, body: dict[str, Any]) -> None:
        kind, age = body.get("messaging_type"), time.time() - self.wrote_at.get(user, time.time())
        late = Refused(
            "(#10) This message is sent outside of allowed window.", 10, 2018278, status=403
        )
        if kind in ("RESPONSE", "UPDATE"):
            if age > DAY:
                raise late
        elif kind == "MESSAGE_TAG":
            if body.get("tag") != "HUMAN_AGENT":
                raise Refused("(#100) Param tag must be one of HUMAN_AGENT")
            if age > 7 * DAY:
                raise late
        else:
            raise Refused("(#100) The parameter messaging_type is required")

    @staticmethod
    def _check_file(message: dict[str, Any], file: SentFile) -> None:
        kind = message.get("attachment", {}).get("type")
        if file.field != "filedata" or "text" in message:
            raise Refused("(#100) Upload attachment failure", 100, 2018074)
        if kind not in ("image", "audio", "video", "file"):
            raise Refused("(#100) Param message[attachment][type] must be one of image, audio, ...")
        if kind in ("image", "audio", "video") and not file.type.startswith(f"{kind}/"):
            raise Refused("(#100) Incorrect attachment type", 100, 2018047)
        if not 0 < len(file.content) <= 25_000_000:
            raise Refused("(#100) Attachment size exceeds allowable limit", 100, 2018074)

    def _check_message(self, message: dict[str, Any]) -> None:
        if ("text" in message) == ("attachment" in message):
            raise Refused("(#100) Message cannot be empty, must provide text or attachment")
        if "text" in message and not 1 <= length(message["text"].strip()) < 2000:
            raise Refused("(#100) Length of param message[text] must be less than 2000")
        if length(message.get("metadata", "")) >= 1000:
            raise Refused("(#100) Param metadata is too long")
        replies = message.get("quick_replies", [])
        if len(replies) > 13:
            raise Refused("(#100) Too many quick replies")
        for reply in replies:
            if reply["content_type"] != "text":
                raise Refused("(#100) content_type")
            self._check_button(reply)
        if "attachment" in message:
            payload = message["attachment"]["payload"]
            if message["attachment"]["type"] != "template" or payload["template_type"] != "button":
                raise Refused("(#100) template")
            if not 1 <= length(payload["text"]) <= 640:
                raise Refused("(#100) Length of param text must be less than or equal to 640")
            if not 1 <= len(payload["buttons"]) <= 3:
                raise Refused("(#100) Param buttons must have 1 to 3 elements")
            for button in payload["buttons"]:
                self._check_button(button)

    @staticmethod
    def _check_button(button: dict[str, Any]) -> None:
        if not 1 <= length(button["title"]) <= 20:
            raise Refused("(#100) Length of param title must be less than or equal to 20")
        if not 1 <= length(button["payload"]) <= 1000:
            raise Refused("(#100) Length of param payload must be less than or equal to 1000")

    # — personas, profile, subscriptions —

    def _get_personas(self, page: str, node: str, body: Any, query: Any) -> Any:
        start = int(query.get("after", "0"))
        found = self.personas[start : start + 2]
        paging = {"cursors": {"after": str(start + 2)}}
        if start + 2 < len(self.personas):
            paging["next"] = "https://graph.facebook.com/next"  # type: ignore[assignment]
        return {"data": found, "paging": paging}

    def _post_personas(self, page: str, node: str, body: Any, query: Any) -> Any:
        if not body.get("name") or not body.get("profile_picture_url", "").startswith("https://"):
            raise Refused("(#100) name and profile_picture_url are required")
        self.personas.append({"id": str(9000 + len(self.personas)), "name": body["name"]})
        return {"id": self.personas[-1]["id"]}

    def _post_subscribed_apps(self, page: str, node: str, body: Any, query: Any) -> Any:
        self.subscribed[page] = body["subscribed_fields"].split(",")
        return {"success": True}

    def _get_subscribed_apps(self, page: str, node: str, body: Any, query: Any) -> Any:
        fields = self.subscribed.get(page)
        return {"data": [{"id": "77", "subscribed_fields": fields}] if fields else []}

    def _get_messenger_profile(self, page: str, node: str, body: Any, query: Any) -> Any:
        wanted = query["fields"].split(",")
        known = self.profile.get(page, {})
        return {"data": [{k: v for k, v in known.items() if k in wanted}] if known else []}

    def _post_messenger_profile(self, page: str, node: str, body: Any, query: Any) -> Any:
        known = {**self.profile.get(page, {}), **body}
        for greeting in known.get("greeting", []):
            if length(greeting["text"]) > 160:
                raise Refused("(#100) greeting is too long")
        menus = known.get("persistent_menu", [])
        if menus and "get_started" not in known:
            raise Refused("(#100) You must set a Get Started button")
        for localised in (menus, known.get("greeting", [])):
            locales = [item["locale"] for item in localised]
            if localised and ("default" not in locales or len(set(locales)) != len(locales)):
                raise Refused("(#100) one default locale is required, each once")
        for menu in menus:
            if len(menu["call_to_actions"]) > 20:
                raise Refused("(#100) at most 20 items")
            for item in menu["call_to_actions"]:
                if item["type"] != "postback" or not 1 <= length(item["title"]) <= 30:
                    raise Refused("(#100) title of a menu item is too long")
        self.profile[page] = known
        return {"result": "success"}

    def _get_node(self, page: str, node: str, body: Any, query: Any) -> Any:
        fields = query.get("fields", "").split(",")
        if node == page:
            return {"id": page, "name": "Mela"}
        if "locale" in fields and not self.knows_locale:
            raise Refused("(#230) Requires pages_user_locale permission", 230, status=403)
        known = self.customers.get(node, {})
        return {"id": node, **{k: v for k, v in known.items() if k in fields}}


# — what Meta delivers —


def signed(body: bytes, secret: str = APP_SECRET) -> dict[str, str]:
    """Headers of a delivery."""
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {"X-Hub-Signature-256": f"sha256={digest}", "Content-Type": "application/json"}


def event(user: str = "501", at: float | None = None, page: str = PAGE, **what: Any) -> Any:
    moment = int((at or time.time()) * 1000)
    return {"sender": {"id": user}, "recipient": {"id": page}, "timestamp": moment, **what}


def said(text: str, mid: str, user: str = "501", at: float | None = None, **more: Any) -> Any:
    return event(user, at, message={"mid": mid, "text": text, **more})


def sent_files(mid: str, *files: tuple[str, str], user: str = "501", **more: Any) -> Any:
    """A message with attachments, each a type and an address."""
    attachments = [{"type": kind, "payload": {"url": url}} for kind, url in files]
    return event(user, message={"mid": mid, "attachments": attachments, **more})


def echo(text: str, mid: str, user: str = "501", page: str = PAGE, **more: Any) -> Any:
    return {
        "sender": {"id": page},
        "recipient": {"id": user},
        "timestamp": int(time.time() * 1000),
        "message": {"mid": mid, "text": text, "is_echo": True, **more},
    }


def delivery(*events: Any, page: str = PAGE) -> bytes:
    """A delivery with one entry per event."""
    entries = [{"id": page, "time": int(time.time() * 1000), "messaging": [e]} for e in events]
    return json.dumps({"object": "page", "entry": entries}).encode()
