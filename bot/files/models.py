"""A file as a message carries it; docs/attachments.md."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

FETCHING = "fetching"
"""Known by name only; the worker gets it from the vendor."""
STORED = "stored"
REFUSED = "refused"
"""We do not take it; `reason` says why."""
FAILED = "failed"
"""It could not be got, or is gone; `reason` says why."""

SIGNS = {"image": "🖼", "audio": "🎤", "video": "🎬", "file": "📄"}
"""Stands for a file where there are no words, the same in every language."""
MOST_IN_MESSAGE = 10
"""Files a widget's or an agent's message may name."""


@dataclass(frozen=True)
class Attachment:
    """One file of a message."""

    id: str
    kind: str
    """Key of `SIGNS`."""
    name: str = ""
    """Cleaned (bot.files.names)."""
    type: str = ""
    """MIME type; what the sender claims while it is fetched."""
    size: int = 0
    """Bytes; 0 if not known."""
    state: str = STORED
    reason: str = ""
    source: str = ""
    """Where the worker finds it: Messenger's address, Telegram's file id. Never shown."""

    def shown(self) -> dict[str, Any]:
        """What may leave this system."""
        told = asdict(self)
        del told["source"]
        return told

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Attachment:
        known = {item.name for item in fields(cls)}
        return cls(**{key: value for key, value in data.items() if key in known})


def file_id(message: str, position: int) -> str:
    """Name a vendor's file so that a repeated delivery gets the same name.

    Returns:
        `f<24 hex digits>`.
    """
    return "f" + hashlib.sha256(f"{message}\0{position}".encode()).hexdigest()[:24]


def signs(attachments: Iterable[Attachment]) -> str:
    """Text of a message that has files and no words."""
    return " ".join(SIGNS[attachment.kind] for attachment in attachments)


def without_signs(text: str) -> str:
    """Words beside files; empty for what `signs` wrote, whatever the files turned out to be."""
    return "" if text and all(part in SIGNS.values() for part in text.split()) else text
