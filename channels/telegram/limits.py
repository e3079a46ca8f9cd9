"""Telegram's limits, and how its messages are made to fit (docs/telegram.md)."""

from __future__ import annotations

from bot.streams.messages import Outbound
from channels.kit.fitting import Part, Shown, numbered, parts
from channels.kit.limits import Limits, Rule

_BOT_API = "Bot API 10.1 (core.telegram.org/bots/api)"
_BOT_FAQ = "core.telegram.org/bots/faq"

LIMITS = Limits(
    (
        Rule("text", 4096, "characters", f"{_BOT_API}: sendMessage, after entities parsing"),
        Rule("photo", 10_000_000, "bytes", f"{_BOT_API}: sendPhoto"),
        # Not measured before sending: what Telegram refuses by these, it gets as a document.
        Rule("photo sides", 10_000, "pixels", f"{_BOT_API}: sendPhoto, width and height"),
        Rule("photo ratio", 20, "times", f"{_BOT_API}: sendPhoto, width to height"),
        Rule("file", 50_000_000, "bytes", f"{_BOT_API}: sendDocument, sendVideo, sendAudio"),
        Rule("fetched file", 20_000_000, "bytes", f"{_BOT_API}: getFile"),
        Rule("caption", 1024, "characters", f"{_BOT_API}: sendPhoto"),
        Rule("callback data", 64, "bytes", f"{_BOT_API}: InlineKeyboardButton"),
        # Not documented; what is beyond is answered "reply markup is too long".
        Rule("buttons", 100, "items", "own caution"),
        Rule("callback answer", 200, "characters", f"{_BOT_API}: answerCallbackQuery"),
        Rule("command", 32, "characters", f"{_BOT_API}: BotCommand"),
        Rule("command description", 256, "characters", f"{_BOT_API}: BotCommand"),
        Rule("commands", 100, "items", f"{_BOT_API}: setMyCommands"),
        Rule("description", 512, "characters", f"{_BOT_API}: setMyDescription"),
        Rule("short description", 120, "characters", f"{_BOT_API}: setMyShortDescription"),
        Rule("secret token", 256, "characters", f"{_BOT_API}: setWebhook, A-Z a-z 0-9 _ -"),
        Rule("messages in a chat", 1, "per second", _BOT_FAQ),
        Rule("messages in a group", 20 / 60, "per second", _BOT_FAQ),
        Rule("messages of a bot", 30, "per second", _BOT_FAQ),
        Rule("typing", 5, "seconds", f"{_BOT_API}: sendChatAction"),
    )
)
KEYBOARD = "keyboard"
PORTS = frozenset({443, 80, 88, 8443})
"""Ports of a webhook (core.telegram.org/bots/webhooks)."""


def fit(outbound: Outbound) -> list[Part]:
    """Make a reply fit; see `channels.kit.fitting.Fit`."""
    return parts(outbound, choose(outbound), LIMITS.most("text"))


def choose(outbound: Outbound) -> Shown:
    """Choose the first way to show the buttons that fits."""
    buttons, data = outbound.quick_replies, LIMITS.rule("callback data")
    if len(buttons) <= LIMITS.most("buttons") and all(data.fits(b.id) for b in buttons):
        return Shown(KEYBOARD if buttons else "", buttons)
    return Shown(listed=numbered(buttons))
