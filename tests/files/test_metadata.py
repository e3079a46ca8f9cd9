"""Pictures lose what tells about their sender, and nothing of the picture."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator

import pytest
from PIL import ExifTags, Image, PngImagePlugin

from bot.errors import FileRefused
from bot.files.metadata import without_metadata

PLACE = b"N 48 51 30 secret-place"
MOST = 1 << 20


async def _chunks(content: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


async def cut(content: bytes, size: int = 1 << 16, most: int = MOST) -> bytes:
    return b"".join([chunk async for chunk in without_metadata(_chunks(content, size), most)])


def _exif(orientation: int = 1) -> Image.Exif:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    exif[ExifTags.Base.Make] = "A camera"
    exif[ExifTags.Base.ImageDescription] = PLACE.decode()
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitude] = (48.0, 51.0, 30.0)
    return exif


def _picture(format_: str, **more: object) -> bytes:
    image = Image.new("RGB", (64, 48))
    for x in range(64):
        for y in range(48):
            image.putpixel((x, y), (4 * x, 5 * y, x * y % 256))
    out = io.BytesIO()
    image.save(out, format_, **more)
    return out.getvalue()


def _pixels(content: bytes) -> bytes:
    with Image.open(io.BytesIO(content)) as image:
        return image.convert("RGB").tobytes()


PICTURES = {
    "jpeg": _picture("JPEG", exif=_exif(), comment=PLACE, icc_profile=b"profile" * 20),
    "progressive": _picture("JPEG", exif=_exif(), progressive=True),
    "xmp": _picture("JPEG", xmp=b"<x:xmpmeta>" + PLACE),
    "png": _picture("PNG", exif=_exif(), pnginfo=None),
    "webp": _picture("WEBP", exif=_exif(), xmp=PLACE, lossless=True),
}


@pytest.mark.parametrize("size", [1, 7, 1 << 16])
@pytest.mark.parametrize("name", PICTURES)
async def test_the_picture_stays_and_its_sender_does_not(name: str, size: int) -> None:
    content = PICTURES[name]
    assert PLACE in content
    left = await cut(content, size)
    assert PLACE not in left
    assert b"A camera" not in left
    assert _pixels(left) == _pixels(content)
    with Image.open(io.BytesIO(left)) as image:
        assert not dict(image.getexif())


async def test_colours_keep_their_profile() -> None:
    with Image.open(io.BytesIO(await cut(PICTURES["jpeg"]))) as image:
        assert image.info["icc_profile"] == b"profile" * 20


@pytest.mark.parametrize("orientation", [3, 6, 8])
async def test_a_photo_is_not_turned(orientation: int) -> None:
    left = await cut(_picture("JPEG", exif=_exif(orientation)))
    assert PLACE not in left
    with Image.open(io.BytesIO(left)) as image:
        assert dict(image.getexif()) == {ExifTags.Base.Orientation: orientation}


async def test_text_chunks_of_a_png_go() -> None:
    told = PngImagePlugin.PngInfo()
    told.add_text("Place", PLACE.decode())
    told.add_itxt("Place", PLACE.decode())
    content = _picture("PNG", pnginfo=told)
    assert PLACE in content
    assert PLACE not in await cut(content, 5)


@pytest.mark.parametrize("name", ["jpeg", "png"])
async def test_what_stands_behind_a_picture_goes(name: str) -> None:
    """Phones put a second picture or a short film there, with a place of its own."""
    left = await cut(PICTURES[name] + PICTURES["jpeg"] + PLACE)
    assert PLACE not in left
    assert left == await cut(PICTURES[name])


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff", b"plain text", b"%PDF-1.7 " + PLACE, b"GIF89a" + PLACE, b"\xff\xd8\xff\xe0xx"],
)
async def test_other_files_pass_as_they_are(content: bytes) -> None:
    assert await cut(content, 3) == content


@pytest.mark.parametrize("name", PICTURES)
async def test_a_picture_cut_short_stays_short(name: str) -> None:
    content = PICTURES[name]
    for length in range(0, len(content), 97):
        left = await cut(content[:length], 50)
        assert len(left) <= length + 40
        assert PLACE not in left


async def test_what_is_cut_counts_as_well() -> None:
    with pytest.raises(FileRefused, match="at most"):
        await cut(PICTURES["jpeg"] + b"x" * MOST)
