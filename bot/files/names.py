"""Cleaning of file names from strangers, for display and saving."""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import quote

MOST_CHARS = 120
_PATH = re.compile(r"[/\\]")
_FORBIDDEN = re.compile(r'[<>:"|?*%]')
"""Windows refuses all of these; some browsers read `%` as an escape."""
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Categories of control, format (such as overrides that reverse "gpj.exe"), surrogate, line end."""
_JOINERS = "\u200c\u200d"
"""Parts of Indic and Arabic words."""


def clean(name: str, kind: str = "file") -> str:
    """Remove path, control characters, direction overrides and characters no file system takes.

    An empty result becomes the kind of the file.
    """
    base = _PATH.split(unicodedata.normalize("NFC", name[: 8 * MOST_CHARS]))[-1]
    cleaned = "".join(c for c in base if unicodedata.category(c) not in _UNSEEN or c in _JOINERS)
    cleaned = " ".join(_FORBIDDEN.sub("", cleaned).split()).strip(". ")
    if len(cleaned) > MOST_CHARS:
        stem, dot, ending = cleaned.rpartition(".")
        tail = dot + ending if dot and len(ending) <= 8 else ""
        cleaned = (stem if tail else cleaned)[: MOST_CHARS - len(tail)].rstrip() + tail
    return cleaned or kind


def with_ending(name: str, endings: tuple[str, ...]) -> str:
    """Give a name the ending of its content, so that it opens as what it is.

    Args:
        endings: Endings of the content's type, the usual one first; empty keeps the name.
    """
    if not endings or name.lower().endswith(endings):
        return name
    return name[: MOST_CHARS - len(endings[0])].rstrip(". ") + endings[0]


def disposition(mode: str, name: str) -> str:
    """Build the header Content-Disposition; RFC 6266, with an ASCII name for old clients.

    Args:
        mode: `attachment` or `inline`.
    """
    plain = name.encode("ascii", "replace").decode().replace("?", "_").replace("\\", "_")
    return f"{mode}; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
