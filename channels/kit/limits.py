"""The one table of what the platforms allow, and how to make a message fit (docs/telegram.md).

What does not fit is converted down, never dropped: buttons become quick replies, those a numbered
list whose numbers the customer may type (bot.dialogue.context), long text several messages.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from bot.streams.attachments import Attachment
from bot.streams.messages import Outbound, QuickReply
from channels.kit.splitting import shorten, split, units

FACEBOOK = "facebook"
TELEGRAM = "telegram"

_META = "developers.facebook.com/documentation/business-messaging/messenger-platform"
_BOT_API = "Bot API 10.1 (core.telegram.org/bots/api)"
_BOT_FAQ = "core.telegram.org/bots/faq"
_META_OLD = "developers.facebook.com/docs/messenger-platform"
_SEND_API = f"{_META_OLD}/reference/send-api"


@dataclass(frozen=True)
class Rule:
    """One documented limit."""

    platform: str
    what: str
    value: float
    unit: str
    """`characters` (counted as UTF-16 units, the strictest reading), `bytes`, `pixels`, `times`,
    `items`, `seconds` or `per second`."""
    source: str

    def fits(self, text: str) -> bool:
        """Tell whether a text is within this limit of characters or bytes."""
        return self.size(text) <= self.value

    def size(self, text: str) -> int:
        """Measure a text in this rule's unit."""
        return len(text.encode()) if self.unit == "bytes" else units(text)


RULES: tuple[Rule, ...] = (
    # "text: UTF-8, under 2000 characters": 2000 itself is refused.
    Rule(FACEBOOK, "text", 1999, "characters", _SEND_API),
    Rule(FACEBOOK, "metadata", 999, "characters", _SEND_API),
    Rule(FACEBOOK, "buttons", 3, "items", f"{_META}/send-messages/template/button"),
    Rule(FACEBOOK, "button text", 640, "characters", f"{_META}/send-messages/template/button"),
    Rule(FACEBOOK, "button title", 20, "characters", f"{_META}/send-messages/buttons"),
    Rule(FACEBOOK, "button payload", 1000, "characters", f"{_META}/send-messages/buttons"),
    Rule(FACEBOOK, "quick replies", 13, "items", f"{_META}/send-messages/quick-replies"),
    Rule(FACEBOOK, "quick reply title", 20, "characters", f"{_META}/send-messages/quick-replies"),
    Rule(
        FACEBOOK, "quick reply payload", 1000, "characters", f"{_META}/send-messages/quick-replies"
    ),
    Rule(FACEBOOK, "window", 24 * 3600, "seconds", f"{_META}/send-messages"),
    # Tag HUMAN_AGENT: people only, and the app needs the review for it.
    Rule(FACEBOOK, "human agent window", 7 * 86400, "seconds", f"{_META}/send-messages"),
    # 300/s are allowed, but above 40/s the page's inbox stops showing new messages.
    Rule(FACEBOOK, "messages of a page", 40, "per second", f"{_META_OLD}/overview/rate-limiting"),
    # Audio and video; pictures and files are counted as text.
    Rule(FACEBOOK, "media of a page", 10, "per second", f"{_META_OLD}/overview/rate-limiting"),
    Rule(FACEBOOK, "file", 25_000_000, "bytes", f"{_META}/send-messages/saving-assets"),
    Rule(FACEBOOK, "typing", 20, "seconds", f"{_META}/send-messages/sender-actions"),
    Rule(FACEBOOK, "menu items", 20, "items", f"{_META}/send-messages/persistent-menu"),
    Rule(FACEBOOK, "menu title", 30, "characters", f"{_META}/send-messages/persistent-menu"),
    Rule(FACEBOOK, "greeting", 160, "characters", f"{_META_OLD}/messenger-profile/greeting-text"),
    Rule(TELEGRAM, "text", 4096, "characters", f"{_BOT_API}: sendMessage, after entities parsing"),
    Rule(TELEGRAM, "photo", 10_000_000, "bytes", f"{_BOT_API}: sendPhoto"),
    # Not measured before sending: what Telegram refuses by these, it gets as a document.
    Rule(TELEGRAM, "photo sides", 10_000, "pixels", f"{_BOT_API}: sendPhoto, width and height"),
    Rule(TELEGRAM, "photo ratio", 20, "times", f"{_BOT_API}: sendPhoto, width to height"),
    Rule(TELEGRAM, "file", 50_000_000, "bytes", f"{_BOT_API}: sendDocument, sendVideo, sendAudio"),
    Rule(TELEGRAM, "fetched file", 20_000_000, "bytes", f"{_BOT_API}: getFile"),
    Rule(TELEGRAM, "caption", 1024, "characters", f"{_BOT_API}: sendPhoto"),
    Rule(TELEGRAM, "callback data", 64, "bytes", f"{_BOT_API}: InlineKeyboardButton"),
    # Not documented; what is beyond is answered "reply markup is too long".
    Rule(TELEGRAM, "buttons", 100, "items", "own caution"),
    Rule(TELEGRAM, "callback answer", 200, "characters", f"{_BOT_API}: answerCallbackQuery"),
    Rule(TELEGRAM, "command", 32, "characters", f"{_BOT_API}: BotCommand"),
    Rule(TELEGRAM, "command description", 256, "characters", f"{_BOT_API}: BotCommand"),
    Rule(TELEGRAM, "commands", 100, "items", f"{_BOT_API}: setMyCommands"),
    Rule(TELEGRAM, "description", 512, "characters", f"{_BOT_API}: setMyDescription"),
    Rule(TELEGRAM, "short description", 120, "characters", f"{_BOT_API}: setMyShortDescription"),
    Rule(TELEGRAM, "secret token", 256, "characters", f"{_BOT_API}: setWebhook, A-Z a-z 0-9 _ -"),
    Rule(TELEGRAM, "messages in a chat", 1, "per second", _BOT_FAQ),
    Rule(TELEGRAM, "messages in a group", 20 / 60, "per second", _BOT_FAQ),
    Rule(TELEGRAM, "messages of a bot", 30, "per second", _BOT_FAQ),
    Rule(TELEGRAM, "typing", 5, "seconds", f"{_BOT_API}: sendChatAction"),
)

TELEGRAM_PORTS = frozenset({443, 80, 88, 8443})
"""Ports of a webhook (core.telegram.org/bots/webhooks)."""

BODY_BYTES = 4 * 1024 * 1024
"""Largest delivery taken from a vendor: one that is refused is sent again and again."""


@cache
def rule(platform: str, what: str) -> Rule:
    """Look a rule up.

    Raises:
        KeyError: There is none.
    """
    for found in RULES:
        if (found.platform, found.what) == (platform, what):
            return found
    raise KeyError(f"{platform}: {what}")


def limit(platform: str, what: str) -> int:
    """Whole number of a rule."""
    return int(rule(platform, what).value)


@dataclass(frozen=True)
class Part:
    """One message as the platform takes it."""

    text: str
    style: str = ""
    """How `buttons` are drawn: `buttons`, `quick-replies`, `keyboard`, or empty without any."""
    buttons: tuple[QuickReply, ...] = ()
    attachment: Attachment | None = None
    """A file to send in place of text."""


def fit(outbound: Outbound) -> list[Part]:
    """Make a reply fit its platform; the buttons stand under the last words, files come after.

    Returns:
        The messages to send, in order; empty when there is nothing to show.
    """
    style, buttons, listed = _choose(outbound)
    text = "\n\n".join(filter(None, (outbound.text.strip(), listed)))
    most = limit(outbound.channel, "button text" if style == "buttons" else "text")
    pieces = split(text, most)
    parts = [Part(piece) for piece in pieces[:-1]]
    parts += [Part(piece, style, buttons) for piece in pieces[-1:]]
    return [*parts, *(Part("", attachment=file) for file in outbound.attachments)]


def _choose(outbound: Outbound) -> tuple[str, tuple[QuickReply, ...], str]:
    """Choose the first way to show the buttons that fits: style, buttons, numbered list."""
    buttons = outbound.quick_replies
    if not buttons:
        return "", (), ""
    if outbound.channel == TELEGRAM:
        data = rule(TELEGRAM, "callback data")
        if len(buttons) <= limit(TELEGRAM, "buttons") and all(data.fits(b.id) for b in buttons):
            return "keyboard", buttons, ""
        return "", (), numbered(buttons)
    if (
        len(buttons) <= limit(FACEBOOK, "buttons")
        and all(rule(FACEBOOK, "button title").fits(b.title) for b in buttons)
        and rule(FACEBOOK, "button text").fits(outbound.text.strip())
    ):
        return "buttons", buttons, ""
    if len(buttons) > limit(FACEBOOK, "quick replies"):
        return "", (), numbered(buttons)
    if all(rule(FACEBOOK, "quick reply title").fits(b.title) for b in buttons):
        return "quick-replies", buttons, ""
    # The list says it in full, the quick replies are its numbers.
    short = tuple(
        QuickReply(b.id, str(at), b.entry, b.action, b.position, b.content_version)
        for at, b in enumerate(buttons, 1)
    )
    return "quick-replies", short, numbered(buttons)


def numbered(buttons: tuple[QuickReply, ...]) -> str:
    """Write buttons as lines "1. title"; typing the number does what the button does."""
    return "\n".join(f"{at}. {button.title}" for at, button in enumerate(buttons, 1))


def within(platform: str, what: str, text: str) -> str:
    """Cut a text to a rule, with an ellipsis, never within a character a reader sees."""
    return shorten(text, limit(platform, what))
