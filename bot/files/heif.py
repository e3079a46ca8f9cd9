"""The box `meta` of a HEIC picture: what the file consists of, and where in it the metadata is.

It lists items (`iinf`: number and kind) and where their bytes are (`iloc`). Items that are no
picture are metadata: EXIF, XMP. How the camera was turned is a property (`irot`) and stays.
ISO/IEC 14496-12, sections 8.11.3 and 8.11.6; ISO/IEC 23008-12.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bot.errors import FileRefused

_KEPT = frozenset((b"hdlr", b"pitm", b"iinf", b"iref", b"iprp", b"iloc", b"idat", b"dinf", b"grpl"))
_PICTURES = frozenset(
    (b"hvc1", b"hev1", b"lhv1", b"av01", b"avc1", b"vvc1", b"grid", b"iovl", b"iden", b"tmap")
)
"""Kinds of items that are pictures, or made of them; none has metadata of its own."""
MOST_BLANKS, _MOST_PLACES = 64, 10_000
"""A phone's picture has two pieces of metadata, and a few hundred tiles."""
_EMPTY_EXIF = struct.pack(">I2sHIHI", 0, b"MM", 42, 8, 0, 0)
"""EXIF that tells nothing: for readers that expect what the list names."""


@dataclass(frozen=True)
class Blank:
    """A part of the file that is overwritten."""

    start: int
    end: int
    """Offsets in the file; the end is the first byte that stays."""
    exif: bool
    """Whether a reader expects EXIF there, and there is room for one that tells nothing."""


def cleaned(box: bytes, header: int, begins: int) -> tuple[bytes, Sequence[Blank]]:
    """Take out of the list what is metadata itself, and find that in the rest of the file.

    Args:
        box: The whole box `meta`.
        header: Length of its header.
        begins: Its offset in the file.

    Returns:
        The box to be written, and the parts of the file to be overwritten.

    Raises:
        FileRefused: It cannot be read, or the picture is of a kind that we cannot look into.
    """
    try:
        return _cleaned(bytearray(box), header + _flags(box, header), begins)
    except (struct.error, IndexError) as error:
        raise FileRefused("content-mismatch", "the picture's contents cannot be read") from error


def blanked(piece: bytes, begins: int, blanks: Sequence[Blank]) -> bytes:
    """Overwrite what of a piece of the file is in `blanks`."""
    ends = begins + len(piece)
    for blank in blanks:
        start, end = max(blank.start, begins), min(blank.end, ends)
        if start < end:
            fill = _EMPTY_EXIF[start - blank.start : end - blank.start] if blank.exif else b""
            fill += bytes(end - start - len(fill))
            piece = piece[: start - begins] + fill + piece[end - begins :]
    return piece


def _cleaned(box: bytearray, inside: int, begins: int) -> tuple[bytes, Sequence[Blank]]:
    parts: dict[bytes, tuple[int, int]] = {}
    for name, start, end in _children(box, inside, len(box)):
        if name in _KEPT and name not in parts:
            parts[name] = (start, end)
        else:
            box[start - 4 : start] = b"free"
            box[start:end] = bytes(end - start)
    if b"iinf" not in parts or b"iloc" not in parts:
        return bytes(box), ()
    kinds = _kinds(box, *parts[b"iinf"])
    main = _primary(box, *parts[b"pitm"]) if b"pitm" in parts else 0
    if main and kinds.get(main, b"") not in _PICTURES:
        raise FileRefused("type-not-allowed", "pictures of this kind are not taken")
    blanks = []
    for item, method, start, end in _places(box, *parts[b"iloc"]):
        kind = kinds.get(item, b"")
        if kind in _PICTURES:
            continue
        if method > 1 or end <= start:
            raise FileRefused("type-not-allowed", "the picture's metadata cannot be told apart")
        if method == 1:  # within `idat`, which is in this box
            idat, ends = parts.get(b"idat", (0, 0))
            start, end = begins + idat + start, begins + min(idat + end, ends)
        blanks.append(Blank(start, end, kind == b"Exif" and end - start >= len(_EMPTY_EXIF)))
        if len(blanks) > MOST_BLANKS:
            raise FileRefused("type-not-allowed", "the picture has too many parts")
    within = [blank for blank in blanks if begins <= blank.start < begins + len(box)]
    elsewhere = [blank for blank in blanks if blank not in within]
    return blanked(bytes(box), begins, within), elsewhere


def _flags(box: bytes, header: int) -> int:
    """Four bytes of version and flags, which QuickTime leaves out."""
    return 0 if box[header + 4 : header + 8] == b"hdlr" else 4


def _children(box: bytearray, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield the boxes in a part of a box: name, and offsets of content and end."""
    while start < end:
        size, name = struct.unpack_from(">I4s", box, start)
        if size < 8 or start + size > end:
            raise struct.error
        yield name, start + 8, start + size
        start += size


def _kinds(box: bytearray, start: int, end: int) -> dict[int, bytes]:
    """Items by number; the oldest form of entry has no kind."""
    kinds: dict[int, bytes] = {}
    wide = box[start] > 0
    for name, at, _ in _children(box, start + (8 if wide else 6), end):
        version = box[at]
        if name != b"infe":
            continue
        if version < 2:
            (item,) = struct.unpack_from(">H", box, at + 4)
            kinds[item] = b""
        else:
            form = ">HH4s" if version == 2 else ">IH4s"
            item, _, kinds[item] = struct.unpack_from(form, box, at + 4)
    return kinds


def _primary(box: bytearray, start: int, end: int) -> int:
    """Number of the item that is the picture."""
    return int(struct.unpack_from(">H" if box[start] == 0 else ">I", box, start + 4)[0])


def _places(box: bytearray, start: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield where the bytes of items are: item, method, offsets of start and end."""
    version, sizes = box[start], int.from_bytes(box[start + 4 : start + 6], "big")
    offset_size, length_size, base_size = sizes >> 12, sizes >> 8 & 15, sizes >> 4 & 15
    index_size = sizes & 15 if version else 0
    reader = _Reader(box, start + 6, end)
    places = 0
    for _ in range(reader.number(4 if version == 2 else 2)):
        item = reader.number(4 if version == 2 else 2)
        method = reader.number(2) & 15 if version else 0
        if reader.number(2):
            method = 2  # in another file
        base = reader.number(base_size)
        for _ in range(reader.number(2)):
            # Sizes of nought make endless lists of a few bytes.
            if (places := places + 1) > _MOST_PLACES:
                raise struct.error
            reader.number(index_size)
            at = base + reader.number(offset_size)
            yield item, method, at, at + reader.number(length_size)


class _Reader:
    """Reads whole numbers one after another."""

    def __init__(self, box: bytearray, at: int, end: int) -> None:
        self._box, self._at, self._end = box, at, end

    def number(self, size: int) -> int:
        """Raises struct.error beyond the end."""
        if self._at + size > self._end:
            raise struct.error
        self._at += size
        return int.from_bytes(self._box[self._at - size : self._at], "big")
