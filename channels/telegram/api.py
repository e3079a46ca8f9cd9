"""Calls of the Bot API, and its refusals as our errors. The token stays in this file."""

from __future__ import annotations

from typing import Any

from bot.errors import DeliveryFailed
from bot.settings import Settings, TelegramBot
from channels.reading import number_at, object_at
from channels.vendor_http import VendorHttp

DEFAULT_RETRY_S = 5.0


class ChatMoved(DeliveryFailed):
    """The group became a supergroup; `chat` is its id now."""

    def __init__(self, chat: str) -> None:
        super().__init__("chat-moved")
        self.chat = chat


class BotApi:
    """One bot."""

    def __init__(self, settings: Settings, bot: TelegramBot, http: VendorHttp) -> None:
        self._address = f"{settings.telegram_api_url.rstrip('/')}/bot{bot.token}"
        self._http = http

    async def call(self, method: str, *, timeout_s: float | None = None, **body: Any) -> Any:
        """Call a method; return its `result`.

        Raises:
            DeliveryFailed: See `refusal`; `unreachable` without an answer.
        """
        status, answer = await self._http.call(
            "POST", f"{self._address}/{method}", body=body, timeout_s=timeout_s
        )
        if answer.get("ok") is True:
            return answer.get("result")
        raise refusal(status, answer)


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
        after = number_at(parameters, "retry_after")
        return DeliveryFailed("rate-limited", retry_after_s=float(after or DEFAULT_RETRY_S))
    if code == 403:
        return DeliveryFailed("blocked", permanent=True)
    if code in (401, 404):
        # A wrong token: an operator can put it right, so the message is tried for a while.
        return DeliveryFailed("not-authorised")
    if code == 400:
        told = str(answer.get("description", "")).casefold()
        word = "unknown-chat" if "chat not found" in told else "refused"
        return DeliveryFailed(word, permanent=True)
    if code == 409:
        return DeliveryFailed("conflict")
    return DeliveryFailed("vendor-error")
