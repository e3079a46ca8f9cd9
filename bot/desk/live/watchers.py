"""Users who look at or write in a conversation, on all desk processes together."""

from __future__ import annotations

import time
from dataclasses import dataclass

WATCHED_S = 40.0
"""How long "is looking" lasts without a beat."""
TYPING_S = 6.0
NOTICES = frozenset({"look", "typing", "noting", "left"})
"""What a notice may say of a person: they look, type a reply, write a note, or have left."""


@dataclass
class _Watcher:
    name: str
    looks_until: float
    types_until: float = 0.0
    types: str = ""
    """`typing` a reply or `noting`."""


class Watchers:
    """Users who look at and write in conversations, from live notices; entries expire."""

    def __init__(self) -> None:
        self._watchers: dict[str, dict[str, _Watcher]] = {}
        """Conversation → user id → what they do there."""

    def note(self, conversation: str, what: str, user_id: str, name: str) -> None:
        """Take in one of `NOTICES`."""
        watchers, now = self._watchers.setdefault(conversation, {}), time.monotonic()
        if what == "left":
            watchers.pop(user_id, None)
        else:
            watcher = watchers.setdefault(user_id, _Watcher(name, 0.0))
            watcher.looks_until = now + WATCHED_S
            if what in {"typing", "noting"}:
                watcher.types_until, watcher.types = now + TYPING_S, what
        if not watchers:
            del self._watchers[conversation]

    def drop_silent(self, conversation: str) -> None:
        """Forget those nothing was heard of for `WATCHED_S`."""
        watchers, now = self._watchers.get(conversation, {}), time.monotonic()
        for user_id in [user for user, watcher in watchers.items() if watcher.looks_until < now]:
            del watchers[user_id]
        if not watchers:
            self._watchers.pop(conversation, None)

    def drop_all_silent(self) -> None:
        """`drop_silent` everywhere: most conversations are never shown here."""
        for conversation in list(self._watchers):
            self.drop_silent(conversation)

    def __len__(self) -> int:
        return len(self._watchers)

    def others(self, conversation: str, user_id: str) -> list[dict[str, str]]:
        """Everybody but this user, as the page shows them: `name`, and `typing` if they write."""
        now = time.monotonic()
        return [
            {"name": watcher.name, "typing": watcher.types if watcher.types_until > now else ""}
            for user, watcher in self._watchers.get(conversation, {}).items()
            if user != user_id
        ]
