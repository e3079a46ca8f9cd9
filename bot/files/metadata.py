"""Taking out of pictures what tells about their sender: the place, the camera, the time.

Phones write these beside the picture (EXIF, XMP, IPTC, comments). They are cut out of the bytes as
they pass, without decoding anything, so the picture itself stays as it was. How the camera was
turned is kept, or photos would lie on their side. HEIC pictures and films are in `boxes`.
https://www.w3.org/Graphics/JPEG/itu-t81.pdf (annex B), https://www.w3.org/TR/png/#11Chunks,
https://developers.google.com/speed/webp/docs/riff_container
"""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator, Iterator

from bot.errors import FileRefused
from bot.files.boxes import Boxes, is_boxes
from bot.files.cutter import Cutter

_JPEG, _PNG = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"
_EXIF, _ICC = b"Exif\x00\x00", b"ICC_PROFILE\x00"
_SOI, _EOI, _SOS, _COM = 0xD8, 0xD9, 0xDA, 0xFE
_APP0, _APP1, _APP2, _APP14, _APP15 = 0xE0, 0xE1, 0xE2, 0xEE, 0xEF
_NO_LENGTH = frozenset({0x01, *range(0xD0, 0xD8), _SOI})
"""Markers that stand alone."""
_ORIENTATION = 0x0112
_PNG_CUT = frozenset({b"eXIf", b"tEXt", b"zTXt", b"iTXt", b"tIME"})
_WEBP_CUT = frozenset({b"EXIF", b"XMP "})
_WEBP_FLAGS = 0x0C
"""Of the chunk VP8X: that there is EXIF, XMP."""


async def without_metadata(chunks: AsyncIterator[bytes], most: int) -> AsyncIterator[bytes]:
    """Pass a file on; pictures and films without what tells about their sender.

    Args:
        most: Bytes that may arrive, what is cut included.

    Raises:
        FileRefused: `too-large`; `type-not-allowed` or `content-mismatch` for a HEIC picture whose
            metadata cannot be told from the picture.
    """
    cutter: Cutter | None = None
    head, size = b"", 0
    async for chunk in chunks:
        size += len(chunk)
        if size > most:
            raise FileRefused("too-large", f"send at most {most} bytes")
        if cutter is None:
            head += chunk
            if len(head) < 12:
                continue
            cutter, chunk = _cutter_for(head), head
        # As one: each is written to the disk by itself, and a file may be all tiny parts.
        if passed := b"".join(cutter.feed(chunk)):
            yield passed
    if cutter is None:
        cutter = _cutter_for(head)
        yield b"".join(cutter.feed(head))
    if passed := b"".join(cutter.end()):
        yield passed


def _cutter_for(head: bytes) -> Cutter:
    if head.startswith(_JPEG):
        return _Jpeg()
    if head.startswith(_PNG):
        return _Png()
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return _Webp()
    if is_boxes(head):
        return Boxes()
    return Cutter()


class _Jpeg(Cutter):
    """Cuts segments, and what stands behind the end of the picture: other pictures, films."""

    def __init__(self) -> None:
        super().__init__()
        self._scanning = self._ended = False

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        if self._ended:
            return
        self._held += chunk
        while not self._ended:
            piece = self._scan() if self._scanning else self._segment()
            if piece is None:
                return
            if piece:
                yield piece

    def end(self) -> Iterator[bytes]:
        if self._ended:
            return
        held = bytes(self._held)
        if not self._scanning and len(held) > 4 and held[0] == 0xFF:
            held = _kept(held[1], held)  # cut short within a segment
        if held:
            yield held

    def _segment(self) -> bytes | None:
        """The next marker with what belongs to it; empty for one that is cut, None for too few."""
        held = self._held
        if len(held) < 2:
            return None
        if held[0] != 0xFF:
            self._scanning = True  # no marker where one should be: as in a scan, look for the next
            return b""
        marker = held[1]
        if marker == 0xFF:
            return self._take(1)
        if marker == _EOI:
            self._ended = True
            return self._take(2)
        if marker in _NO_LENGTH:
            return self._take(2)
        if len(held) < 4:
            return None
        length = 2 + int.from_bytes(held[2:4], "big")
        if len(held) < length:
            return None
        self._scanning = marker == _SOS
        segment = self._take(max(length, 4))
        return _kept(marker, segment)

    def _scan(self) -> bytes | None:
        """Bytes of the picture itself, up to the next marker."""
        held, at = self._held, 0
        while (at := held.find(b"\xff", at)) >= 0:
            if at + 1 >= len(held):
                return self._take(at) or None
            follows = held[at + 1]
            if follows not in {0x00, 0xFF, *range(0xD0, 0xD8)}:
                self._scanning = False
                return self._take(at)
            at += 1 if follows == 0xFF else 2
        return self._take(len(held)) or None


def _kept(marker: int, segment: bytes) -> bytes:
    body = segment[4:]
    if marker == _APP1 and body.startswith(_EXIF):
        turned = _orientation(body[len(_EXIF) :])
        return _turned(turned) if turned else b""
    if marker == _APP2:
        return segment if body.startswith(_ICC) else b""
    if marker == _COM or (_APP1 <= marker <= _APP15 and marker != _APP14):
        return b""
    return segment


def _orientation(tiff: bytes) -> int:
    """How the camera was turned, 2–8; 0 for upright or unknown."""
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None or len(tiff) < 8:
        return 0
    (at,) = struct.unpack_from(f"{order}I", tiff, 4)
    if at + 2 > len(tiff):
        return 0
    (count,) = struct.unpack_from(f"{order}H", tiff, at)
    for entry in range(at + 2, min(at + 2 + 12 * count, len(tiff) - 11), 12):
        tag, kind, number, value = struct.unpack_from(f"{order}HHIH", tiff, entry)
        if (tag, kind, number) == (_ORIENTATION, 3, 1):
            return value if 2 <= value <= 8 else 0
    return 0


def _turned(orientation: int) -> bytes:
    """An EXIF segment that tells nothing else."""
    entry = struct.pack(">HHIHH", _ORIENTATION, 3, 1, orientation, 0)
    body = _EXIF + struct.pack(">2sHIH", b"MM", 42, 8, 1) + entry + bytes(4)
    return struct.pack(">BBH", 0xFF, _APP1, len(body) + 2) + body


class _Png(Cutter):
    """Cuts chunks of text, and what stands behind the last one."""

    def __init__(self) -> None:
        super().__init__()
        self._begun = self._ended = False
        self._left, self._cuts = 0, False
        """Bytes of the chunk under way that are still to come, and whether they are cut."""

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        self._held += chunk
        if not self._begun:
            self._begun = True
            yield self._take(len(_PNG))
        while not self._ended or self._left:
            if self._left:
                piece = self._take(min(self._left, len(self._held)))
                self._left -= len(piece)
                if piece and not self._cuts:
                    yield piece
                if self._left:
                    return
                continue
            if len(self._held) < 8:
                return
            name = bytes(self._held[4:8])
            self._cuts = name in _PNG_CUT
            self._left = 12 + int.from_bytes(self._held[:4], "big")
            self._ended = name == b"IEND"
        self._held.clear()

    def end(self) -> Iterator[bytes]:
        if not self._ended:
            yield from super().end()


class _Webp(Cutter):
    """Overwrites chunks, under a name nobody reads: the sizes that stand in front stay right."""

    def __init__(self) -> None:
        super().__init__()
        self._begun = self._says_what_follows = False
        self._left, self._cuts = 0, False

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        self._held += chunk
        if not self._begun:
            self._begun = True
            yield self._take(12)
        while True:
            if self._left:
                piece = self._take(min(self._left, len(self._held)))
                self._left -= len(piece)
                if piece and self._says_what_follows:
                    piece = bytes([piece[0] & ~_WEBP_FLAGS]) + piece[1:]
                    self._says_what_follows = False
                if piece:
                    yield bytes(len(piece)) if self._cuts else piece
                if self._left:
                    return
            if len(self._held) < 8:
                return
            header = self._take(8)
            self._cuts = header[:4] in _WEBP_CUT
            self._says_what_follows = header[:4] == b"VP8X"
            size = int.from_bytes(header[4:], "little")
            self._left = size + size % 2
            yield b"JUNK" + header[4:] if self._cuts else header
