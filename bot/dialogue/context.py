"""Context of a conversation: what the bot remembers between messages, besides Rasa's slots.

Small by design: it is read and written with every message.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from bot.language.follow import Belief
from bot.language.normalise import fold
from bot.streams.messages import QuickReply

KEPT_QUICK_REPLIES = 12
"""Buttons kept here; older ones are looked up in the messages in SQL."""

CLOCKS_APART_S = 60.0


@dataclass(frozen=True)
class ShownReply:
    """A quick reply the customer has been shown."""

    reply: QuickReply
    message: str
    """Id of its message."""


@dataclass(frozen=True)
class Context:
    """Context of one conversation."""

    belief: Belief | None = None
    introduced: str = ""
    """`<episode>:<stint>` in which the bot last introduced itself as a bot."""
    failures: int = 0
    """Failures in a row."""
    negative_mean: float = 0.0
    """Running mean of negativity in this episode, 0–1."""
    negative_count: int = 0
    episode: str = ""
    """Episode the three numbers above belong to."""
    answered: str = ""
    """`<entry>@<version>` of the last answer, while "did that help?" is open."""
    noticed_at: float = 0.0
    """Unix seconds of the last "still waiting" notice."""
    files_at: float = 0.0
    """Unix seconds of the last file the bot could not open, or that came with text."""
    heard_at: float = 0.0
    """Unix seconds when the newest handled message with a position was received."""
    shown: tuple[ShownReply, ...] = ()
    """Newest last."""

    def in_episode(self, episode: str) -> Context:
        """Drop what must not outlive an episode."""
        if self.episode == episode:
            return self
        return replace(
            self,
            episode=episode,
            failures=0,
            negative_mean=0.0,
            negative_count=0,
            answered="",
            noticed_at=0.0,
        )

    def hear(self, received_at: float) -> float:
        """Return when the next message counts as received: after the one before it.

        Transcripts are sorted by this time, and messages may be handled in another order than
        they arrived in (bot.streams.shards). A time far ahead, from a wrong clock, is ignored.
        """
        after = self.heard_at + 0.001
        return after if received_at < after < received_at + CLOCKS_APART_S else received_at

    def with_shown(self, message: str, replies: tuple[QuickReply, ...]) -> Context:
        if not replies:
            return self
        added = tuple(ShownReply(reply, message) for reply in replies)
        return replace(self, shown=(*self.shown, *added)[-KEPT_QUICK_REPLIES:])

    def find(self, quick_reply: str) -> QuickReply | None:
        """Look up a tapped button by id."""
        for shown in reversed(self.shown):
            if shown.reply.id == quick_reply:
                return shown.reply
        return None

    def typed(self, text: str) -> QuickReply | None:
        """Recognise a button of the latest message by its title, or by its number from 1.

        Channels without room for the titles list them with numbers (channels/kit/limits.py);
        digits of any script count, as in "2", "2.", "(२)" or "2️⃣".
        """
        typed_text = fold(text.strip()).rstrip("?!. ")
        if not self.shown or not typed_text:
            return None
        latest = self.shown[-1].message
        replies = [shown.reply for shown in self.shown if shown.message == latest]
        for reply in replies:
            if fold(reply.title).rstrip("?!. ") == typed_text:
                return reply
        # Not from the folded text, where a footnote's "²" is a 2.
        number = text.strip().rstrip("?!. ").strip("().#\ufe0f\u20e3")
        if 1 <= len(number) <= 2 and number.isdecimal():
            return next((r for r in replies if r.position + 1 == int(number)), None)
        return None

    def to_dict(self) -> dict[str, Any]:
        data = dict(vars(self))
        data["belief"] = self.belief.to_dict() if self.belief else None
        return data

    @classmethod
    def from_dict(cls, data: Mapping[str, Any] | None) -> Context:
        if not data:
            return cls()
        # While machines are updated, a newer process may have written more.
        names = {item.name for item in fields(cls)}
        values = {key: value for key, value in data.items() if key in names}
        values["belief"] = Belief.from_dict(values["belief"]) if values.get("belief") else None
        values["shown"] = tuple(
            ShownReply(QuickReply(**item["reply"]), item["message"])
            for item in values.get("shown", ())
        )
        return cls(**values)
