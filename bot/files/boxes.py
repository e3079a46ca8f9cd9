"""Taking metadata out of files made of boxes: HEIC pictures, MP4 and QuickTime films, M4A sound.

A box is its size, four letters and what is in it, often more boxes (ISO/IEC 14496-12). Offsets all
over the file point into it, so nothing is taken out: boxes that are not known to be needed are
overwritten with zeros under the name `free`, which nobody reads, and times of recording are set to
none. What a HEIC picture consists of is in its box `meta`: see `heif`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bot.errors import FileRefused
from bot.files import heif
from bot.files.cutter import Cutter

_KEPT = {
    "": frozenset(b"ftyp styp pdin moov mdat imda meta moof mfra sidx ssix prft wide".split()),
    "moov": frozenset(b"mvhd trak mvex iods cmov pssh".split()),
    "trak": frozenset(b"tkhd edts mdia tref trgr load tapt clip matt".split()),
    "mdia": frozenset(b"mdhd hdlr minf elng".split()),
}
"""What may be in the file itself and in the boxes that are looked into. Others are metadata: `udta`
and `meta` of a film have its place, `uuid` has XMP, and so `free` and `skip` of some cameras."""
_TIMES = frozenset((b"mvhd", b"tkhd", b"mdhd"))
_BEGINS = frozenset((b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"))
"""How films from before `ftyp` begin."""
_MOST_META = 1 << 18
_WHOLE = 1 << 62
"""Size of a box that goes on to the end of the file."""


def is_boxes(head: bytes) -> bool:
    """Tell such a file by its first twelve bytes."""
    return head[4:8] == b"ftyp" or (head[:1] == b"\0" and head[4:8] in _BEGINS)


class Boxes(Cutter):
    """Overwrites what is not needed to see or hear the file."""

    def __init__(self) -> None:
        super().__init__()
        self._at = 0
        """Offset in the file of the first byte that is held."""
        self._inside: list[tuple[str, int]] = []
        """Boxes under way that are looked into: name, and offset of their end."""
        self._left, self._blank = 0, False
        """Bytes of the box under way that are still to come, and whether they are overwritten."""
        self._times = self._ended = False
        self._blanks: Sequence[heif.Blank] = ()

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        if self._ended:
            return
        self._held += chunk
        while not self._ended:
            piece = self._rest() if self._left else self._next()
            if piece is None:
                return
            if piece:
                yield piece

    def end(self) -> Iterator[bytes]:
        """Nothing: what is held could not be told yet."""
        return iter(())

    def _rest(self) -> bytes | None:
        """More of the box under way."""
        if self._times:
            if len(self._held) < min(self._left, 20):
                return None
            piece = self._pass(min(self._left, 20))
            self._times = False
            # Version 1 has times of eight bytes.
            size = 16 if piece[:1] == b"\1" else 8
            return piece[:4] + bytes(len(piece[4 : 4 + size])) + piece[4 + size :]
        if not self._held:
            return None
        begins = self._at
        piece = self._pass(min(self._left, len(self._held)))
        return bytes(len(piece)) if self._blank else heif.blanked(piece, begins, self._blanks)

    def _next(self) -> bytes | None:
        """The header of the next box; None for too few bytes."""
        while self._inside and self._at >= self._inside[-1][1]:
            self._inside.pop()
        where, ends = self._inside[-1] if self._inside else ("", _WHOLE)
        if ends - self._at < 8:
            self._left, self._blank = ends - self._at, True
            return b""
        if len(self._held) < 8:
            return None
        header, name = 8, bytes(self._held[4:8])
        size = int.from_bytes(self._held[:4], "big")
        if size == 1:
            if len(self._held) < 16:
                return None
            header, size = 16, int.from_bytes(self._held[8:16], "big")
        elif size == 0:
            size = _WHOLE
        # No more of it than its parent has, which may be too little for the header alone.
        size = min(size, ends - self._at)
        if size < header:
            return self._nonsense(ends)
        if name == b"meta" and not where:
            return self._meta(header, size)
        return self._begin(name, where, header, size)

    def _begin(self, name: bytes, where: str, header: int, size: int) -> bytes:
        ends = self._at + size
        kept = name in _KEPT[where]
        told = self._pass(header)
        if kept and (inner := name.decode("latin-1")) in _KEPT:
            self._inside.append((inner, ends))
            return told
        self._left = size - header
        self._blank, self._times = not kept, kept and name in _TIMES and self._left > 0
        return told if kept else told[:4] + b"free" + told[8:]

    def _meta(self, header: int, size: int) -> bytes | None:
        """The list of what is in a picture, whole: it tells where in the file the metadata is."""
        if size > _MOST_META:
            raise FileRefused("type-not-allowed", "the picture's list of contents is too long")
        if len(self._held) < size:
            return None
        begins = self._at
        box = self._pass(size)
        left, blanks = heif.cleaned(box, header, begins)
        if any(blank.start < begins for blank in blanks):
            # Passed on already; cameras write the list first.
            raise FileRefused("type-not-allowed", "the picture's metadata stands before its list")
        self._blanks = (*self._blanks, *blanks)
        if len(self._blanks) > heif.MOST_BLANKS:
            raise FileRefused("type-not-allowed", "the picture has too many parts")
        return left

    def _nonsense(self, ends: int) -> bytes:
        """What is no box: cut at the end of the file, overwritten within another box."""
        if self._inside:
            self._left, self._blank = ends - self._at, True
        else:
            self._ended = True
            self._held.clear()
        return b""

    def _pass(self, count: int) -> bytes:
        taken = self._take(count)
        self._at += len(taken)
        if self._left:
            self._left -= len(taken)
        return taken
