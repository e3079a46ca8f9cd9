"""Calls of the Bot API, with refusals as our errors. The token stays in this file."""

from __future__ import annotations

import re
from typing import Any

from bot.errors import DeliveryFailed
from bot.settings import Settings
from channels.kit.reading import number_at, object_at
from channels.kit.vendor_http import RETRY_AFTER, Upload, VendorHttp
from channels.telegram.settings import TelegramBot, TelegramSettings

DEFAULT_RETRY_S = 5.0
PHOTO_SIGNS = ("photo_invalid_dimensions", "image_process_failed")
"""The first is for what breaks the rules "photo sides" and "photo ratio" of
channels.telegram.limits; the second is not documented (github.com/nickoala/telepot/issues/274).
Both come in either case."""
_PATH = re.compile(r"\w[\w.-]*(?:/\w[\w.-]*){0,8}", re.ASCII)


class ChatMoved(DeliveryFailed):
    """Error when a group has become a supergroup; `chat` is its id now."""

    def __init__(self, chat: str) -> None:
        super().__init__("chat-moved")
        self.chat = chat


class PhotoRefused(DeliveryFailed):
    """Error when Telegram refuses a picture as photo; it takes it as document."""

    def __init__(self) -> None:
        super().__init__("refused", permanent=True)


class BotApi:
    """Bot API of one bot.

    Args:
        address: Of the Bot API.
    """

    def __init__(self, address: str, bot: TelegramBot, http: VendorHttp) -> None:
        base = address.rstrip("/")
        self._address = f"{base}/bot{bot.token}"
        self._files = f"{base}/file/bot{bot.token}"
        self._http = http

    async def call(
        self,
        method: str,
        *,
        timeout_s: float | None = None,
        upload: Upload | None = None,
        **body: Any,
    ) -> Any:
        """Call a method, with a file if one is given; return its `result`.

        Raises:
            DeliveryFailed: See `refusal`; `unreachable` without an answer.
        """
        status, answer = await self._http.call(
            "POST", f"{self._address}/{method}", body=body, upload=upload, timeout_s=timeout_s
        )
        if answer.get("ok") is True:
            return answer.get("result")
        raise refusal(status, answer)

    async def file_address(self, file: str) -> str:
        """Address of a file; it has the token in it and is for the worker alone.

        Raises:
            DeliveryFailed: As `call`; `refused` also for a path that leads elsewhere.
        """
        answer = await self.call("getFile", file_id=file)
        path = answer.get("file_path") if isinstance(answer, dict) else None
        # A Bot API server in local mode gives paths on its own disk.
        if not isinstance(path, str) or not _PATH.fullmatch(path) or ".." in path:
            raise DeliveryFailed("refused", permanent=True)
        return f"{self._files}/{path}"


def bots(settings: Settings, http: VendorHttp) -> dict[str, BotApi]:
    """Our bots, by their user names."""
    own = settings.of(TelegramSettings)
    return {name: BotApi(own.api_url, bot, http) for name, bot in own.bots.items()}


def refusal(status: int, answer: dict[str, Any]) -> DeliveryFailed:
    """Turn a refusal into our error.

    Source: Bot API, "Making requests" and ResponseParameters; 403 descriptions in use are "bot was
    blocked by the user", "user is deactivated" and "bot was kicked from the group chat".
    """
    code = number_at(answer, "error_code") or status
    parameters = object_at(answer, "parameters")
    moved = number_at(parameters, "migrate_to_chat_id")
    if moved is not None:
        return ChatMoved(str(moved))
    if code == 429:
        after = number_at(parameters, "retry_after") or answer.get(RETRY_AFTER)
        return DeliveryFailed("rate-limited", retry_after_s=float(after or DEFAULT_RETRY_S))
    if code == 403:
        return DeliveryFailed("blocked", permanent=True)
    if code in (401, 404):
        # A wrong token: an operator can put it right, so the message is tried for a while.
        return DeliveryFailed("not-authorised")
    if code == 400:
        description = str(answer.get("description", "")).casefold()
        if any(sign in description for sign in PHOTO_SIGNS):
            return PhotoRefused()
        words = {"chat not found": "unknown-chat", "file is too big": "too-large"}
        word = next((word for sign, word in words.items() if sign in description), "refused")
        return DeliveryFailed(word, permanent=True)
    if code == 409:
        return DeliveryFailed("conflict")
    return DeliveryFailed("vendor-error")
