"""Names of files as strangers write them, made fit to be shown and offered for saving."""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import quote

MOST_CHARS = 120
_PATH = re.compile(r"[/\\]")
_FORBIDDEN = re.compile(r'[<>:"|?*%]')
"""Windows takes none of these; `%` would be read as an escape by some browsers."""
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Controls; formats, so also overrides that turn "gpj.exe" around; surrogates; line ends."""
_JOINERS = "\u200c\u200d"
"""Indic and Arabic words are written with them."""


def clean(name: str, kind: str = "file") -> str:
    """Take path, control characters, direction overrides and what no file system takes out.

    A name that has nothing left becomes the kind of the file.
    """
    last = _PATH.split(unicodedata.normalize("NFC", name[: 8 * MOST_CHARS]))[-1]
    seen = "".join(c for c in last if unicodedata.category(c) not in _UNSEEN or c in _JOINERS)
    seen = " ".join(_FORBIDDEN.sub("", seen).split()).strip(". ")
    if len(seen) > MOST_CHARS:
        stem, dot, ending = seen.rpartition(".")
        tail = dot + ending if dot and len(ending) <= 8 else ""
        seen = (stem if tail else seen)[: MOST_CHARS - len(tail)].rstrip() + tail
    return seen or kind


def with_ending(name: str, endings: tuple[str, ...]) -> str:
    """Make a name end the way its content does: nothing opens as what it is not.

    Args:
        endings: Endings of the content's type, the usual one first; empty keeps the name.
    """
    if not endings or name.lower().endswith(endings):
        return name
    return name[: MOST_CHARS - len(endings[0])].rstrip(". ") + endings[0]


def disposition(how: str, name: str) -> str:
    """Header Content-Disposition; RFC 6266 with a plain name for old readers.

    Args:
        how: `attachment` or `inline`.
    """
    plain = name.encode("ascii", "replace").decode().replace("?", "_").replace("\\", "_")
    return f"{how}; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
