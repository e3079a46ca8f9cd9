"""HEIC pictures, films and sound lose what tells about their sender, and nothing else.

HEIC is AVIF with another codec: the boxes are the same, and Pillow writes AVIF.
"""

from __future__ import annotations

import io
import struct
from collections.abc import AsyncIterator

import pytest
from PIL import ExifTags, Image

from bot.errors import FileRefused
from bot.files import heif
from bot.files.metadata import without_metadata

PLACE = b"N 48 51 30 secret-place"
MOST = 1 << 20


async def _chunks(content: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


async def cut(content: bytes, size: int = 1 << 16) -> bytes:
    return b"".join([chunk async for chunk in without_metadata(_chunks(content, size), MOST)])


def box(name: bytes, *content: bytes) -> bytes:
    body = b"".join(content)
    return struct.pack(">I4s", 8 + len(body), name) + body


def full(name: bytes, version: int, *content: bytes) -> bytes:
    return box(name, bytes([version, 0, 0, 0]), *content)


FTYP = box(b"ftyp", b"heic\0\0\0\0mif1heic")


# -- a picture of a real encoder


def _photo() -> bytes:
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "A camera"
    exif[ExifTags.Base.ImageDescription] = PLACE.decode()
    image = Image.new("RGB", (64, 48))
    image.putdata([(4 * x, 5 * y, x * y % 256) for y in range(48) for x in range(64)])
    out = io.BytesIO()
    image.save(out, "AVIF", exif=exif, xmp=b"<x:xmpmeta>" + PLACE)
    return out.getvalue()


def _pixels(content: bytes) -> bytes:
    with Image.open(io.BytesIO(content)) as image:
        return image.convert("RGB").tobytes()


@pytest.mark.parametrize("size", [1, 7, 1 << 16])
async def test_a_photo_stays_and_its_sender_does_not(size: int) -> None:
    content = _photo()
    assert content.count(PLACE) == 2
    left = await cut(content, size)
    assert PLACE not in left
    assert b"A camera" not in left
    assert len(left) == len(content), "offsets point into it"
    assert _pixels(left) == _pixels(content)
    with Image.open(io.BytesIO(left)) as image:
        assert dict(image.getexif()) == {}


async def test_a_photo_cut_short_stays_short() -> None:
    content = _photo()
    for length in range(0, len(content), 13):
        left = await cut(content[:length], 50)
        assert len(left) <= length
        assert PLACE not in left


async def test_what_stands_behind_a_photo_goes() -> None:
    """Some phones put a film there, with a place of its own."""
    content = _photo()
    for behind in (PLACE, b"\0\0\0\2junk" + PLACE, box(b"mpvd", PLACE), box(b"uuid", PLACE)):
        assert PLACE not in await cut(content + behind, 11)


# -- pictures made by hand, for what the encoder does not do


def _heic(
    *, version: int = 0, method: int = 0, kind: bytes = b"Exif", main: bytes = b"hvc1"
) -> bytes:
    """A picture with two items: the picture itself, and PLACE as `kind`."""
    wide = ">I" if version == 2 else ">H"
    infe = [
        full(b"infe", 2, struct.pack(">HH4s", number, 0, name), b"\0")
        for number, name in ((1, main), (2, kind))
    ]
    picture = b"pixels of the picture"

    def meta(at: int) -> bytes:
        starts = [(1, 0, at, len(picture)), (2, method, at + len(picture), len(PLACE))]
        if method == 1:
            starts[1] = (2, 1, 0, len(PLACE))
        entries = b"".join(
            struct.pack(wide, item)
            + (struct.pack(">H", how) if version else b"")
            + struct.pack(">HHII", 0, 1, start, length)
            for item, how, start, length in starts
        )
        return full(
            b"meta",
            0,
            full(b"hdlr", 0, b"\0\0\0\0pict", bytes(13)),
            full(b"pitm", 0, struct.pack(">H", 1)),
            full(b"iinf", 0, struct.pack(">H", 2), *infe),
            full(b"iloc", version, b"\x44\0", struct.pack(wide, 2), entries),
            box(b"xml ", PLACE),
            *([box(b"idat", PLACE)] if method == 1 else ()),
        )

    at = len(FTYP) + len(meta(0)) + 8
    return FTYP + meta(at) + box(b"mdat", picture, b"" if method == 1 else PLACE)


@pytest.mark.parametrize("size", [1, 1 << 16])
@pytest.mark.parametrize("kind", [b"Exif", b"mime", b"uri ", b"new1"])
@pytest.mark.parametrize(("version", "method"), [(0, 0), (1, 0), (1, 1), (2, 0), (2, 1)])
async def test_metadata_is_found_wherever_it_may_be(
    version: int, method: int, kind: bytes, size: int
) -> None:
    content = _heic(version=version, method=method, kind=kind)
    assert content.count(PLACE) == 2
    left = await cut(content, size)
    assert PLACE not in left
    assert b"secret" not in left
    assert len(left) == len(content)
    assert b"pixels of the picture" in left


async def test_what_cannot_be_told_apart_is_refused() -> None:
    refused = {
        "in another item": _heic(version=1, method=2),
        "a picture that may have metadata of its own": _heic(main=b"jpeg"),
        "in front of its list": FTYP + box(b"mdat", PLACE * 60) + _heic()[len(FTYP) :],
        "a list without end": FTYP + struct.pack(">I4s", 1 << 30, b"meta") + bytes(64),
        "no list": FTYP + full(b"meta", 0, full(b"iinf", 0, b"\0\1"), full(b"iloc", 0)),
    }
    # The offsets of the third are those without the box before it, so they lead into that box.
    for why, content in refused.items():
        with pytest.raises(FileRefused) as refusal:
            await cut(content)
        assert refusal.value.code in {"type-not-allowed", "content-mismatch"}, why


@pytest.mark.parametrize("sizes", [b"\0\0", b"\x44\0"])
async def test_a_list_of_endless_parts_is_refused_at_once(sizes: bytes) -> None:
    entry = struct.pack(">HHH", 1, 0, 65535)
    iloc = full(b"iloc", 0, sizes, struct.pack(">H", 20_000), entry * 20_000)
    infe = full(b"infe", 2, struct.pack(">HH4s", 1, 0, b"hvc1"), b"\0")
    iinf = full(b"iinf", 0, struct.pack(">H", 1), infe)
    with pytest.raises(FileRefused):
        await cut(FTYP + full(b"meta", 0, iinf, iloc))


def test_a_long_blank_costs_no_more_than_the_piece() -> None:
    blank = heif.Blank(4, 1 << 60, exif=True)
    left = heif.blanked(b"keptPLACE" + PLACE, 0, [blank])
    assert left[:4] == b"kept"
    assert b"PLACE" not in left
    assert PLACE not in left


# -- films and sound


def _film(*, wide_times: bool = False) -> bytes:
    version = 1 if wide_times else 0
    times = struct.pack(">QQ" if wide_times else ">II", 3_900_000_000, 3_900_000_001)
    track = box(
        b"trak",
        full(b"tkhd", version, times, b"track header that stays"),
        box(b"meta", PLACE),
        box(
            b"mdia",
            full(b"mdhd", version, times, b"media header that stays"),
            full(b"hdlr", 0, b"\0\0\0\0vide", bytes(13)),
            box(b"minf", box(b"stbl", b"sample tables")),
            box(b"udta", PLACE),
        ),
        box(b"udta", PLACE),
    )
    moov = box(
        b"moov",
        full(b"mvhd", version, times, b"movie header that stays"),
        track,
        box(b"udta", box(b"\xa9xyz", PLACE)),
        box(b"meta", box(b"keys", b"location"), box(b"ilst", PLACE)),
        box(b"gps ", PLACE),
    )
    return b"".join(
        (
            box(b"ftyp", b"mp42\0\0\0\0isommp42"),
            box(b"uuid", bytes(16), PLACE),
            box(b"free", PLACE),
            struct.pack(">I4sQ", 1, b"mdat", 16 + 12) + b"film in here",
            moov,
            box(b"meta", PLACE[:0], full(b"hdlr", 0, bytes(21)), box(b"ilst", PLACE)),
        )
    )


@pytest.mark.parametrize("size", [1, 7, 1 << 16])
@pytest.mark.parametrize("wide_times", [False, True])
async def test_a_film_loses_its_place_and_time(size: int, wide_times: bool) -> None:
    content = _film(wide_times=wide_times)
    left = await cut(content, size)
    assert PLACE not in left
    assert struct.pack(">I", 3_900_000_000) not in left
    assert len(left) == len(content), "offsets point into it"
    for kept in (b"film in here", b"sample tables", b"header that stays"):
        assert left.count(kept) == content.count(kept)
    assert left.index(b"moov") == content.index(b"moov")


async def test_films_from_before_the_standard_are_known_too() -> None:
    content = box(b"wide") + _film()[24:]
    assert PLACE not in await cut(content, 5)


async def test_a_film_cut_short_stays_short() -> None:
    content = _film()
    for length in range(len(content)):
        left = await cut(content[:length], 50)
        assert len(left) <= length
        assert PLACE not in left


async def test_boxes_that_lie_about_their_size_hide_nothing() -> None:
    for size in (0, 1, 2, 7, 1 << 20):
        inner = struct.pack(">I4s", size, b"udta") + PLACE
        for content in (box(b"moov", inner), box(b"moov", box(b"trak", inner), PLACE)):
            assert PLACE not in await cut(box(b"ftyp", b"mp42\0\0\0\0mp42") + content, 3)


@pytest.mark.parametrize("room", range(8, 16))
@pytest.mark.parametrize("name", [b"mvex", b"mvhd", b"trak", b"udta"])
async def test_a_header_longer_than_its_parent_hides_nothing(name: bytes, room: int) -> None:
    """A size of eight bytes makes one of sixteen."""
    inner = struct.pack(">I4sQ", 1, name, 1 << 20)[:room]
    content = box(b"ftyp", b"mp42\0\0\0\0mp42") + box(b"moov", inner) + box(b"uuid", PLACE)
    for size in (3, 1 << 16):
        left = await cut(content, size)
        assert len(left) == len(content)
        assert PLACE not in left


@pytest.mark.parametrize(
    "inner",
    [
        box(b"trak", box(b"mvhd", PLACE)),
        box(b"mdia", PLACE),
        box(b"mvhd") + struct.pack(">I4s", 7, b"junk") + PLACE,
    ],
    ids=["in another's place", "unknown", "empty"],
)
async def test_times_stand_only_where_they_belong(inner: bytes) -> None:
    """Their first bytes are kept; other boxes' are not."""
    left = await cut(box(b"ftyp", b"mp42\0\0\0\0mp42") + box(b"moov", inner))
    assert not any(PLACE[at : at + 4] in left for at in range(len(PLACE) - 3))


async def test_many_small_boxes_are_passed_on_together() -> None:
    """Each piece is a write of its own to the disk."""
    content = FTYP + box(b"free") * 1000
    pieces = [piece async for piece in without_metadata(_chunks(content, 1 << 16), MOST)]
    assert (len(pieces), b"".join(pieces)) == (1, content)


async def test_a_text_about_freedom_is_no_film() -> None:
    assert await cut(b"Get free stuff from the moov") == b"Get free stuff from the moov"
