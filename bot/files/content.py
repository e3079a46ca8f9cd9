"""Detection of a file's type by its content, not by its name.

puremagic (MIT, no dependencies) knows the signatures; this module chooses among its results, and
adds plain text, which has no signature.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass

import puremagic

from bot.errors import FileRefused
from bot.streams.attachments import ICONS

HEAD_BYTES = 8192
"""Bytes of a file that are examined."""
TEXT = "text/plain"
INLINE = frozenset({"image/jpeg", "image/png", "image/webp", "image/gif"})
"""Raster images that browsers show and that hold no script."""
ENDINGS: dict[str, tuple[str, ...]] = {
    "image/jpeg": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "image/png": (".png",),
    "image/webp": (".webp",),
    "image/gif": (".gif",),
    "image/heif": (".heic", ".heif"),
    "application/pdf": (".pdf",),
    "video/mp4": (".mp4", ".m4v"),
    "video/quicktime": (".mov",),
    "audio/ogg": (".ogg", ".oga", ".opus"),
    "audio/mpeg": (".mp3",),
    "audio/mp4": (".m4a",),
    TEXT: (".txt", ".csv", ".log", ".md"),
}
_SAME = {
    "application/ogg": "audio/ogg",
    "audio/opus": "audio/ogg",
    "audio/mp3": "audio/mpeg",
    "audio/x-m4a": "audio/mp4",
    "audio/m4a": "audio/mp4",
    "image/heic": "image/heif",
    "image/jpg": "image/jpeg",
    "text/csv": TEXT,
    "text/markdown": TEXT,
}
_BRANDS = frozenset(
    {
        b"avc1",
        b"iso2",
        b"iso3",
        b"iso4",
        b"iso5",
        b"iso6",
        b"iso7",
        b"iso8",
        b"iso9",
        b"dash",
        b"msdh",
    }
)
"""Brands of MP4 files in fragments that puremagic 1.30 does not list; mp4ra.org has all."""
_MARKUP = re.compile(rb"\s*<(?:!|\?|[a-z])", re.IGNORECASE)
_BROWSERS_RUN = frozenset({"html", "htm", "xhtml", "xml", "svg", "js", "mjs", "css", "hta"})


@dataclass(frozen=True)
class Content:
    """Type and kind of a file."""

    type: str
    kind: str
    """Key of `bot.streams.attachments.ICONS`."""


def detect_type(head: bytes, name: str, claimed: str, allowed: Collection[str]) -> Content:
    """Detect a file's type.

    Args:
        head: Its first `HEAD_BYTES`, or all of it.
        claimed: MIME type from the sender; may be empty.
        allowed: MIME types we accept.

    Raises:
        FileRefused: `type-not-allowed`; `content-mismatch` when its name or claim is of an
            allowed type and its content is not; `empty`.
    """
    if not head:
        raise FileRefused("empty", "the file is empty")
    type_ = _type_of(head)
    ending = name.lower().rpartition(".")[2]
    if type_ in allowed and not (type_ == TEXT and ending in _BROWSERS_RUN):
        return Content(type_, kind_of(type_))
    claims = {plain(claimed), *(t for t, ends in ENDINGS.items() if f".{ending}" in ends)}
    if claims & set(allowed):
        raise FileRefused("content-mismatch", "the content is not what the name says")
    raise FileRefused("type-not-allowed", "files of this kind are not taken")


def plain(claimed: str) -> str:
    """Normalise a MIME type to the spelling of `ENDINGS`."""
    bare = claimed.partition(";")[0].strip().lower()
    return _SAME.get(bare, bare)


def kind_of(type_: str) -> str:
    """Return `image`, `audio`, `video` or `file`."""
    major = type_.partition("/")[0]
    return major if major in ICONS else "file"


def endings_of(type_: str) -> tuple[str, ...]:
    """Return file name endings of a type, the usual one first; none for unknown types."""
    return ENDINGS.get(type_, ())


def _type_of(head: bytes) -> str:
    """Return the MIME type by content; empty when it is unknown."""
    if _MARKUP.match(head.removeprefix(b"\xef\xbb\xbf")):
        # A browser may run it as a page although its name is a picture's: refuse it.
        return ""
    if head[4:8] == b"ftyp" and head[8:12] in _BRANDS:
        return "video/mp4"
    type_ = _type_by_signature(head)
    return type_ or (TEXT if _is_text(head) else "")


def _type_by_signature(head: bytes) -> str:
    """Return the type of the surest signature if `ENDINGS` has it; short ones match by accident."""
    try:
        readings = puremagic.magic_string(head)
    except (puremagic.PureError, ValueError):
        return ""
    surest = max(reading.confidence for reading in readings)
    for reading in readings:
        by_ending = next((t for t, ends in ENDINGS.items() if reading.extension in ends), "")
        type_ = plain(reading.mime_type) or by_ending
        if reading.confidence == surest and type_ in ENDINGS and type_ != TEXT:
            return type_
    return ""


def _is_text(head: bytes) -> bool:
    """Tell whether it is UTF-8 without control characters; its last character may be cut off."""
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        if len(head) < HEAD_BYTES or error.start < len(head) - 3:
            return False
        text = head[: error.start].decode("utf-8")
    return not any(unicodedata.category(c) == "Cc" and c not in "\t\n\r\f" for c in text)
