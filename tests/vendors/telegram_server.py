"""A local Bot API that refuses what the real one refuses (Bot API 10.1, PLATFORM facts in
channels/telegram/limits.py), written from the documentation and not from our code."""

from __future__ import annotations

import json
import re
import struct
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web
from vendors.forms import SentFile, read_call

TOKEN = "123456:test-token_AA"
BOT_ID = 123456


def utf16(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


class Refused(Exception):
    """An answer with `ok: false`."""

    def __init__(self, code: int, description: str, **parameters: Any) -> None:
        super().__init__(description)
        self.code, self.description, self.parameters = code, description, parameters


@dataclass
class BotApiServer:
    """One bot's view of Telegram."""

    token: str = TOKEN
    username: str = "MelaBot"
    per_chat_s: float = 0.0
    """Least seconds between two messages in a chat."""
    url: str = ""
    sent: list[dict[str, Any]] = field(default_factory=list)
    """Messages taken, in order."""
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """All calls, also refused ones."""
    answered: list[str] = field(default_factory=list)
    queries: set[str] = field(default_factory=set)
    """Callback queries that wait for their answer."""
    blocked: set[int] = field(default_factory=set)
    moved: dict[int, int] = field(default_factory=dict)
    failures: list[Refused | None] = field(default_factory=list)
    """Answers to the next `sendMessage` calls; None hangs up after the message was taken."""
    files: dict[str, bytes] = field(default_factory=dict)
    """What customers sent, by path."""
    paths: dict[str, str] = field(default_factory=dict)
    """File id → path."""
    webhook: dict[str, Any] = field(default_factory=dict)
    commands: dict[str, list[dict[str, str]]] = field(default_factory=dict)
    descriptions: dict[str, str] = field(default_factory=dict)
    updates: list[dict[str, Any]] = field(default_factory=list)
    _last: dict[int, float] = field(default_factory=dict)

    def make_app(self) -> web.Application:
        app = web.Application(client_max_size=60_000_000)
        app.router.add_get("/file/{bot}/{path:.*}", self._give)
        app.router.add_route("*", "/{bot}/{method}", self._serve)
        return app

    async def _give(self, request: web.Request) -> web.Response:
        """A file a customer sent; the address has the token in it."""
        content = self.files.get(request.match_info["path"])
        if request.match_info["bot"] != f"bot{self.token}" or content is None:
            return web.Response(status=404)
        return web.Response(body=content)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        if request.match_info["bot"] != f"bot{self.token}":
            return self._refusal(Refused(401, "Unauthorized"))
        method = request.match_info["method"]
        body, file = await read_call(request)
        if file is not None:
            body[file.field] = file
        self.calls.append((method, body))
        try:
            handler = getattr(self, f"_do_{method}", None)
            if handler is None:
                raise Refused(404, "Not Found")
            result = handler(body)
        except Refused as error:
            return self._refusal(error)
        except ConnectionAbortedError:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        return web.json_response({"ok": True, "result": result})

    @staticmethod
    def _refusal(error: Refused) -> web.Response:
        body: dict[str, Any] = {
            "ok": False,
            "error_code": error.code,
            "description": error.description,
        }
        if error.parameters:
            body["parameters"] = error.parameters
        return web.json_response(body, status=error.code)

    # — methods —

    def _do_getMe(self, body: dict[str, Any]) -> Any:
        return {"id": BOT_ID, "is_bot": True, "username": self.username}

    def _do_sendMessage(self, body: dict[str, Any]) -> Any:
        chat = body.get("chat_id")
        if not isinstance(chat, int):
            raise Refused(400, "Bad Request: chat_id is empty")
        hang_up = False
        if self.failures:
            failure = self.failures.pop(0)
            if failure is not None:
                raise failure
            hang_up = True
        if chat in self.moved:
            raise Refused(
                400,
                "Bad Request: group chat was upgraded to a supergroup chat",
                migrate_to_chat_id=self.moved[chat],
            )
        if chat in self.blocked:
            raise Refused(403, "Forbidden: bot was blocked by the user")
        text = body.get("text")
        if not isinstance(text, str) or not text.strip():
            raise Refused(400, "Bad Request: message text is empty")
        if utf16(text) > 4096:
            raise Refused(400, "Bad Request: message is too long")
        self._check_markup(body.get("reply_markup"))
        now = time.monotonic()
        if now - self._last.get(chat, float("-inf")) < self.per_chat_s:
            raise Refused(429, "Too Many Requests: retry after 1", retry_after=1)
        self._last[chat] = now
        self.sent.append(body)
        if hang_up:
            raise ConnectionAbortedError
        return {"message_id": len(self.sent), "chat": {"id": chat}, "text": text}

    def _do_getFile(self, body: dict[str, Any]) -> Any:
        path = self.paths.get(body.get("file_id", ""))
        if path is None:
            raise Refused(400, "Bad Request: wrong file_id or the file is temporarily unavailable")
        size = len(self.files.get(path, b""))
        if size > 20_000_000:
            raise Refused(400, "Bad Request: file is too big")
        return {"file_id": body["file_id"], "file_path": path, "file_size": size}

    def _take_file(self, method: str, field: str, body: dict[str, Any], most: int) -> Any:
        file = body.get(field)
        if not isinstance(file, SentFile):
            raise Refused(400, f"Bad Request: there is no {field} in the request")
        if not 0 < len(file.content) <= most:
            raise Refused(413, "Request Entity Too Large")
        if self.failures and (failure := self.failures.pop(0)):
            raise failure
        chat = body.get("chat_id")
        if chat in self.blocked:
            raise Refused(403, "Forbidden: bot was blocked by the user")
        now = time.monotonic()
        if now - self._last.get(chat, float("-inf")) < self.per_chat_s:
            raise Refused(429, "Too Many Requests: retry after 1", retry_after=1)
        self._last[chat] = now
        self.sent.append({**body, "method": method})
        return {"message_id": len(self.sent), "chat": {"id": chat}}

    def _do_sendPhoto(self, body: dict[str, Any]) -> Any:
        file = body.get("photo")
        if isinstance(file, SentFile) and not _can_be_photo(file.content):
            raise Refused(400, "Bad Request: PHOTO_INVALID_DIMENSIONS")
        return self._take_file("sendPhoto", "photo", body, 10_000_000)

    def _do_sendDocument(self, body: dict[str, Any]) -> Any:
        return self._take_file("sendDocument", "document", body, 50_000_000)

    def _do_sendVideo(self, body: dict[str, Any]) -> Any:
        return self._take_file("sendVideo", "video", body, 50_000_000)

    def _do_sendAnimation(self, body: dict[str, Any]) -> Any:
        return self._take_file("sendAnimation", "animation", body, 50_000_000)

    def _do_sendAudio(self, body: dict[str, Any]) -> Any:
        return self._take_file("sendAudio", "audio", body, 50_000_000)

    def _check_markup(self, markup: Any) -> None:
        if markup is None:
            return
        rows = markup.get("inline_keyboard") or markup.get("keyboard") or []
        for button in (button for row in rows for button in row):
            if not button.get("text"):
                raise Refused(400, "Bad Request: text of the button is empty")
            if "inline_keyboard" in markup:
                data = button.get("callback_data", "")
                if not 1 <= len(data.encode()) <= 64:
                    raise Refused(400, "Bad Request: BUTTON_DATA_INVALID")
        if sum(map(len, rows)) > 100:
            raise Refused(400, "Bad Request: reply markup is too long")

    def _do_sendChatAction(self, body: dict[str, Any]) -> Any:
        if body.get("action") not in {"typing", "upload_photo", "upload_document"}:
            raise Refused(400, "Bad Request: wrong parameter action in request")
        return True

    def _do_answerCallbackQuery(self, body: dict[str, Any]) -> Any:
        query = body.get("callback_query_id")
        if utf16(body.get("text", "")) > 200:
            raise Refused(400, "Bad Request: MESSAGE_TOO_LONG")
        if query not in self.queries:
            raise Refused(400, "Bad Request: query is too old and response timeout expired")
        self.queries.discard(query)
        self.answered.append(query)
        return True

    def _do_setWebhook(self, body: dict[str, Any]) -> Any:
        parts = urlsplit(body.get("url", ""))
        if parts.scheme != "https" or (parts.port or 443) not in (443, 80, 88, 8443):
            raise Refused(400, "Bad Request: bad webhook: an HTTPS URL must be provided")
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,256}", body.get("secret_token", "x")):
            raise Refused(400, "Bad Request: secret token contains unallowed characters")
        if not 1 <= body.get("max_connections", 40) <= 100:
            raise Refused(400, "Bad Request: max_connections")
        self.webhook = body
        return True

    def _do_deleteWebhook(self, body: dict[str, Any]) -> Any:
        self.webhook = {}
        return True

    def _do_getWebhookInfo(self, body: dict[str, Any]) -> Any:
        return {"url": self.webhook.get("url", ""), "pending_update_count": len(self.updates)}

    def _do_getUpdates(self, body: dict[str, Any]) -> Any:
        if self.webhook:
            raise Refused(409, "Conflict: can't use getUpdates method while webhook is active")
        offset = body.get("offset", 0)
        self.updates = [u for u in self.updates if u["update_id"] >= offset]
        return self.updates[: body.get("limit", 100)]

    def _do_setMyCommands(self, body: dict[str, Any]) -> Any:
        for command in body["commands"]:
            if not re.fullmatch(r"[a-z0-9_]{1,32}", command["command"]):
                raise Refused(400, "Bad Request: BOT_COMMAND_INVALID")
            if not 1 <= utf16(command["description"]) <= 256:
                raise Refused(400, "Bad Request: BOT_COMMAND_DESCRIPTION_INVALID")
        if len(body["commands"]) > 100:
            raise Refused(400, "Bad Request: BOT_COMMANDS_TOO_MUCH")
        self.commands[self._language(body)] = body["commands"]
        return True

    def _do_getMyCommands(self, body: dict[str, Any]) -> Any:
        return self.commands.get(self._language(body), [])

    def _do_setMyDescription(self, body: dict[str, Any]) -> Any:
        if utf16(body["description"]) > 512:
            raise Refused(400, "Bad Request: description is too long")
        self.descriptions[self._language(body)] = body["description"]
        return True

    def _do_setMyShortDescription(self, body: dict[str, Any]) -> Any:
        if utf16(body["short_description"]) > 120:
            raise Refused(400, "Bad Request: short description is too long")
        return True

    @staticmethod
    def _language(body: dict[str, Any]) -> str:
        language = body.get("language_code", "")
        if language and not re.fullmatch(r"[a-z]{2}", language):
            raise Refused(400, "Bad Request: LANG_CODE_INVALID")
        return str(language)

    # — what a test's own HTTP does with an answer —

    def run_answer(self, content: bytes) -> None:
        """Run the method in the body of a webhook's answer, as Telegram does."""
        if content:
            body = json.loads(content)
            getattr(self, f"_do_{body.pop('method')}")(body)


def _can_be_photo(content: bytes) -> bool:
    """Judge the sides of a PNG as sendPhoto does; pictures without a header in it are let pass."""
    if content[12:16] != b"IHDR":
        return True
    width, height = struct.unpack(">II", content[16:24])
    return width + height <= 10_000 and max(width, height) <= 20 * min(width, height)


def update(number: int, **what: Any) -> dict[str, Any]:
    return {"update_id": number, **what}


def person(user: int = 7, **more: Any) -> dict[str, Any]:
    return {
        "id": user,
        "is_bot": False,
        "first_name": "Asha",
        "last_name": "K",
        "language_code": "hi",
        **more,
    }


def private(number: int, text: str, *, user: int = 7, **more: Any) -> dict[str, Any]:
    """An update with a message in a private chat."""
    message = {
        "message_id": number,
        "date": 1_700_000_000,
        "from": person(user),
        "chat": {"id": user, "type": "private"},
        "text": text,
        **more,
    }
    return update(number, message=message)


def in_group(number: int, text: str, *, user: int = 7, chat: int = -100, **more: Any) -> Any:
    """An update with a message in a group."""
    message = {
        "message_id": number,
        "date": 1_700_000_000,
        "from": person(user),
        "chat": {"id": chat, "type": "group", "title": "Family"},
        "text": text,
        **more,
    }
    return update(number, message=message)


def tapped(number: int, data: str, *, user: int = 7, query: str = "q1") -> dict[str, Any]:
    """An update with a tap on an inline button."""
    return update(
        number,
        callback_query={
            "id": query,
            "from": person(user),
            "chat_instance": "1",
            "data": data,
            "message": {"message_id": 3, "date": 0, "chat": {"id": user, "type": "private"}},
        },
    )
