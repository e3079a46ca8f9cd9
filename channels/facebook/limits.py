"""Messenger's limits, and how its messages are made to fit (docs/facebook.md)."""

from __future__ import annotations

from bot.streams.messages import Outbound
from channels.kit.fitting import Part, Shown, numbered, numbers, parts
from channels.kit.limits import Limits, Rule
from channels.kit.meta.limits import HUMAN_AGENT_WINDOW, PLATFORM, WINDOW

_META_OLD = "developers.facebook.com/docs/messenger-platform"
_SEND_API = f"{_META_OLD}/reference/send-api"

LIMITS = Limits(
    (
        # "text: UTF-8, under 2000 characters": 2000 itself is refused.
        Rule("text", 1999, "characters", _SEND_API),
        Rule("metadata", 999, "characters", _SEND_API),
        Rule("buttons", 3, "items", f"{PLATFORM}/send-messages/template/button"),
        Rule("button text", 640, "characters", f"{PLATFORM}/send-messages/template/button"),
        Rule("button title", 20, "characters", f"{PLATFORM}/send-messages/buttons"),
        Rule("button payload", 1000, "characters", f"{PLATFORM}/send-messages/buttons"),
        Rule("quick replies", 13, "items", f"{PLATFORM}/send-messages/quick-replies"),
        Rule("quick reply title", 20, "characters", f"{PLATFORM}/send-messages/quick-replies"),
        Rule("quick reply payload", 1000, "characters", f"{PLATFORM}/send-messages/quick-replies"),
        WINDOW,
        HUMAN_AGENT_WINDOW,
        # 300/s are allowed, but above 40/s the page's inbox stops showing new messages.
        Rule("messages of a page", 40, "per second", f"{_META_OLD}/overview/rate-limiting"),
        # Audio and video; pictures and files are counted as text.
        Rule("media of a page", 10, "per second", f"{_META_OLD}/overview/rate-limiting"),
        Rule("file", 25_000_000, "bytes", f"{PLATFORM}/send-messages/saving-assets"),
        Rule("typing", 20, "seconds", f"{PLATFORM}/send-messages/sender-actions"),
        Rule("menu items", 20, "items", f"{PLATFORM}/send-messages/persistent-menu"),
        Rule("menu title", 30, "characters", f"{PLATFORM}/send-messages/persistent-menu"),
        Rule("greeting", 160, "characters", f"{_META_OLD}/messenger-profile/greeting-text"),
    )
)
BUTTONS = "buttons"
QUICK_REPLIES = "quick-replies"


def fit(outbound: Outbound) -> list[Part]:
    """Make a reply fit; see `channels.kit.fitting.Fit`."""
    shown = choose(outbound)
    return parts(outbound, shown, LIMITS.most("button text" if shown.style == BUTTONS else "text"))


def choose(outbound: Outbound) -> Shown:
    """Choose the first way to show the buttons that fits."""
    buttons = outbound.quick_replies
    if not buttons:
        return Shown()
    if (
        len(buttons) <= LIMITS.most("buttons")
        and all(LIMITS.rule("button title").fits(b.title) for b in buttons)
        and LIMITS.rule("button text").fits(outbound.text.strip())
    ):
        return Shown(BUTTONS, buttons)
    if len(buttons) > LIMITS.most("quick replies"):
        return Shown(listed=numbered(buttons))
    if all(LIMITS.rule("quick reply title").fits(b.title) for b in buttons):
        return Shown(QUICK_REPLIES, buttons)
    return Shown(QUICK_REPLIES, numbers(buttons), numbered(buttons))
