"""What fits on a pager: 80 characters, no buttons."""

from __future__ import annotations

from bot.streams.messages import Outbound
from channels.kit.fitting import Part, Shown, numbered, parts
from channels.kit.limits import Limits, Rule

LIMITS = Limits((Rule("text", 80, "characters", "the pager's display"),))


def fit(outbound: Outbound) -> list[Part]:
    """Make a reply fit; buttons are lines with numbers to type."""
    listed = Shown(listed=numbered(outbound.quick_replies))
    return parts(outbound, listed, LIMITS.most("text"))
