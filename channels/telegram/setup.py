"""`python -m bot telegram setup`: webhook, commands and descriptions in all languages.

Shows first what is there already. Setting it again changes nothing.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from bot.content.texts import SystemTexts
from bot.errors import ConfigurationError, DeliveryFailed, SamvadError
from bot.settings import Settings
from channels.kit import menu
from channels.kit.reading import number_at, objects_at, text_at
from channels.kit.vendor_http import VendorHttp
from channels.telegram.api import BotApi
from channels.telegram.limits import LIMITS, PORTS
from channels.telegram.payload import ALLOWED_UPDATES
from channels.telegram.settings import TelegramBot, TelegramSettings

CONNECTIONS = 40


async def run(settings: Settings, *, show_only: bool = False) -> list[str]:
    """Set all bots up; return what to tell the operator, a line each.

    Raises:
        ConfigurationError: There is no bot, or no public address Telegram could call.
        SamvadError: A bot refused; the message says which and why.
    """
    own = settings.of(TelegramSettings)
    if not own.bots:
        raise ConfigurationError("TELEGRAM_BOTS", "is empty, so Telegram is off")
    if not show_only:
        check_address(settings.public_url)
    http = VendorHttp()
    lines: list[str] = []
    try:
        for name, bot in own.bots.items():
            lines += await _bot(settings, name, bot, BotApi(own.api_url, bot, http), show_only)
    finally:
        await http.aclose()
    return lines


def check_address(url: str) -> None:
    """Refuse an address Telegram would refuse, before anything is changed.

    Raises:
        ConfigurationError: PUBLIC_URL is no https address on one of Telegram's ports.
    """
    try:
        parts = urlsplit(url)
        fits = parts.scheme == "https" and (parts.port or 443) in PORTS
    except ValueError:
        fits = False
    if not fits:
        ports = ", ".join(map(str, sorted(PORTS)))
        raise ConfigurationError(
            "PUBLIC_URL",
            f"Telegram calls https addresses on ports {ports} only; without a public address use "
            "`python -m bot telegram poll`",
        )


async def _bot(
    settings: Settings, name: str, bot: TelegramBot, api: BotApi, show_only: bool
) -> list[str]:
    try:
        me = await api.call("getMe")
        user_name = text_at(me if isinstance(me, dict) else {}, "username", 64)
        lines = [f"bot {name}", *(f"  has  {line}" for line in await _present(settings, api))]
        if user_name.casefold() != name.casefold():
            lines.append(
                f"  note it is @{user_name} on Telegram: groups can address it by name only if "
                "TELEGRAM_BOTS names it so"
            )
        if show_only:
            return lines
        await _set(settings, name, bot, api)
        return [*lines, *(f"  now  {line}" for line in await _present(settings, api))]
    except DeliveryFailed as error:
        raise SamvadError(
            f"bot {name}: the Bot API answered “{error.reason}”; check its token in TELEGRAM_BOTS"
        ) from None


async def _set(settings: Settings, name: str, bot: TelegramBot, api: BotApi) -> None:
    await api.call(
        "setWebhook",
        url=f"{settings.public_url.rstrip('/')}/webhooks/telegram/{name}/webhook",
        secret_token=bot.secret,
        allowed_updates=list(ALLOWED_UPDATES),
        max_connections=CONNECTIONS,
    )
    texts = SystemTexts.load(settings.default_language)
    # Without a code for whoever's language we do not speak, then each of ours.
    for code in ("", *settings.languages):
        language = code or settings.default_language
        spoken: dict[str, Any] = {"language_code": code} if code else {}
        await api.call("setMyCommands", commands=commands(settings, language), **spoken)
        words = texts.render("utter_bot_intro", language, business=settings.business_name)
        await api.call(
            "setMyDescription", description=LIMITS.within("description", words), **spoken
        )
        short = LIMITS.within("short description", words)
        await api.call("setMyShortDescription", short_description=short, **spoken)


def commands(settings: Settings, language: str) -> list[dict[str, str]]:
    """List the bot's commands in a language."""
    return [
        {
            "command": item.key.replace("-", "_"),
            "description": LIMITS.within("command description", item.title),
        }
        for item in menu.items(settings, language)
    ]


async def _present(settings: Settings, api: BotApi) -> list[str]:
    """Tell what a bot is set to."""
    info: Any = await api.call("getWebhookInfo")
    info = info if isinstance(info, dict) else {}
    lines = [f"webhook: {text_at(info, 'url', 300) or 'none'}"]
    if waiting := number_at(info, "pending_update_count"):
        lines.append(f"updates waiting: {waiting}")
    if error := text_at(info, "last_error_message", 300):
        lines.append(f"last error: {error}")
    counts = []
    for code in ("", *settings.languages):
        spoken: dict[str, Any] = {"language_code": code} if code else {}
        answer = await api.call("getMyCommands", **spoken)
        count = len(objects_at({"commands": answer}, "commands"))
        counts.append(f"{code or 'default'} ({count})")
    return [*lines, f"commands: {', '.join(counts)}"]
