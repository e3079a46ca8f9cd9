"""Fitting of messages to a platform: what does not fit is converted, never dropped.

Buttons become quick replies, those a numbered list whose numbers the customer may type
(bot.dialogue.context), long text several messages. Each channel chooses how it shows buttons; the
rest is here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from bot.streams.attachments import Attachment
from bot.streams.messages import Outbound, QuickReply
from channels.kit.splitting import split


@dataclass(frozen=True)
class Part:
    """One message of the platform."""

    text: str
    style: str = ""
    """How `buttons` are drawn, in the channel's words; empty without any."""
    buttons: tuple[QuickReply, ...] = ()
    attachment: Attachment | None = None
    """A file to send in place of text."""


@dataclass(frozen=True)
class Shown:
    """How a channel shows the buttons of a message."""

    style: str = ""
    buttons: tuple[QuickReply, ...] = ()
    listed: str = ""
    """Lines that stand for buttons, below the text."""


Fit = Callable[[Outbound], list[Part]]
"""Makes the messages of a reply, in order; none when there is nothing to show."""


def parts(outbound: Outbound, shown: Shown, most: int) -> list[Part]:
    """Cut a reply; the buttons stand under the last words, files come after.

    Args:
        most: Longest text of one message, in UTF-16 units.
    """
    text = "\n\n".join(filter(None, (outbound.text.strip(), shown.listed)))
    pieces = split(text, most)
    made = [Part(piece) for piece in pieces[:-1]]
    made += [Part(piece, shown.style, shown.buttons) for piece in pieces[-1:]]
    return [*made, *(Part("", attachment=file) for file in outbound.attachments)]


def whole(outbound: Outbound) -> list[Part]:
    """Leave a reply as it is, for a channel of our own that shows everything."""
    has_content = outbound.text.strip() or outbound.quick_replies
    first = [Part(outbound.text, "buttons", outbound.quick_replies)] if has_content else []
    return [*first, *(Part("", attachment=file) for file in outbound.attachments)]


def numbered(buttons: tuple[QuickReply, ...]) -> str:
    """Write buttons as lines "1. title"; typing the number does what the button does."""
    return "\n".join(f"{at}. {button.title}" for at, button in enumerate(buttons, 1))


def numbers(buttons: tuple[QuickReply, ...]) -> tuple[QuickReply, ...]:
    """Name buttons by their numbers in the list that says them in full."""
    return tuple(replace(button, title=str(at)) for at, button in enumerate(buttons, 1))
