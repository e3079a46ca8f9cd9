"""What a file is by its content, and what its name becomes."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import FileRefused
from bot.files.content import ENDINGS, HEAD_BYTES, detect_type
from bot.files.names import MOST_CHARS, clean, disposition, with_ending
from bot.settings import Settings
from bot.streams.attachments import ICONS

ALLOWED = Settings().file_types
ISO = b"\0\0\0\x20ftyp"


@pytest.mark.parametrize(
    ("head", "type_", "kind"),
    [
        (b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01", "image/jpeg", "image"),
        (b"\xff\xd8\xff\xe1\x00\x10Exif\x00\x00", "image/jpeg", "image"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "image/png", "image"),
        (b"RIFF\x24\0\0\0WEBPVP8 ", "image/webp", "image"),
        (b"GIF89a\1\0\1\0", "image/gif", "image"),
        (ISO + b"heic\0\0\0\0mif1heic", "image/heif", "image"),
        (b"%PDF-1.7\n%\xe2\xe3\xcf", "application/pdf", "file"),
        (b"%PDF-1.4\n% plain ASCII", "application/pdf", "file"),
        (ISO + b"isom\0\0\2\0isomiso2avc1mp41", "video/mp4", "video"),
        (ISO + b"mp42\0\0\0\0mp42isom", "video/mp4", "video"),
        (ISO + b"iso5\0\0\2\0iso5", "video/mp4", "video"),
        (ISO + b"M4A \0\0\0\0M4A mp42", "audio/mp4", "audio"),
        (ISO + b"qt  \0\0\0\0qt  ", "video/quicktime", "video"),
        (b"OggS\0\2" + bytes(20) + b"\1\x13OpusHead\1", "audio/ogg", "audio"),
        (b"ID3\4\0\0\0\0\0\x23", "audio/mpeg", "audio"),
        (b"\xff\xfb\x90\x44", "audio/mpeg", "audio"),
        ("नमस्ते, my order\n".encode(), "text/plain", "file"),
        (b"\xef\xbb\xbfa;b;c\r\n1;2;3\r\n", "text/plain", "file"),
        (b"BMW is what I bought", "text/plain", "file"),
    ],
)
def test_what_we_take_is_known_by_its_content(head: bytes, type_: str, kind: str) -> None:
    padding = b"" if type_ == "text/plain" or b"plain" in head else bytes(300)
    found = detect_type(head + padding, "anything.xyz", "", ALLOWED)
    assert (found.type, found.kind) == (type_, kind)
    assert found.kind in ICONS


@pytest.mark.parametrize(
    "head",
    [
        b"<!DOCTYPE html>",
        b"  \n<html>",
        b"<svg xmlns=",
        b"<?xml version='1'?><svg",
        b"<script>",
        b"\xef\xbb\xbf<html>",
        b"<a href=x>",
        b"MZ\x90\0\3\0",
        b"\x7fELF\2\1\1",
        b"PK\3\4\x14\0",
        b"Rar!\x1a\7\1\0",
        b"RIFF\x24\0\0\0WAVEfmt ",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        b"CWS\x0a\0\0",
        bytes(64),
        b"text with a NUL \0",
        b"\xff\xfe\x41\0\x42\0",
        b"\x1b[2J",
    ],
)
@pytest.mark.parametrize(("name", "claimed"), [("a.png", "image/png"), ("a", ""), ("a.exe", "")])
def test_what_we_do_not_take_is_refused_whatever_it_says(
    head: bytes, name: str, claimed: str
) -> None:
    with pytest.raises(FileRefused) as refused:
        detect_type(head, name, claimed, ALLOWED)
    expected = "content-mismatch" if claimed else "type-not-allowed"
    assert refused.value.code == expected


def test_a_character_cut_off_at_the_end_of_what_is_looked_at_is_no_fault() -> None:
    text = ("a" + "क" * HEAD_BYTES).encode()
    assert detect_type(text[:HEAD_BYTES], "a.txt", "", ALLOWED).type == "text/plain"
    with pytest.raises(FileRefused):
        detect_type(b"abc\xe0\xa4", "a.txt", "", ALLOWED)


def test_settings_may_take_less() -> None:
    with pytest.raises(FileRefused, match="kind"):
        detect_type(b"GIF89a", "a.gif", "image/gif", ("image/png",))


@given(st.binary(max_size=200), st.text(max_size=30), st.text(max_size=30))
def test_anything_is_a_type_or_a_refusal(head: bytes, name: str, claimed: str) -> None:
    try:
        found = detect_type(head, name, claimed, ALLOWED).type
    except FileRefused as error:
        found = error.code
    assert found in (*ALLOWED, "empty", "type-not-allowed", "content-mismatch")


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        ("cat.png", "cat.png"),
        ("../../etc/passwd", "passwd"),
        ("C:\\fake\\path\\a.txt", "a.txt"),
        ("bill\u202efdp.exe", "billfdp.exe"),
        ("a\r\nSet-Cookie: x=1.png", "aSet-Cookie x=1.png"),
        ('"><img src=x>.png', "img src=x.png"),
        ("", "file"),
        ("...", "file"),
        ("/", "file"),
        ("a\0b\ud800.png", "ab.png"),
        ("  a   b .png ", "a b .png"),
        (".htaccess", "htaccess"),
        ("क्\u200dष.pdf", "क्\u200dष.pdf"),
        ("cafe\u0301.png", "café.png"),
        ("a" * 500, "a" * 120),
        ("a" * 500 + ".png", "a" * 116 + ".png"),
        ("ملف.pdf", "ملف.pdf"),
    ],
)
def test_names_are_cleaned(raw: str, name: str) -> None:
    assert clean(raw) == name


@given(st.text(max_size=400))
def test_no_name_breaks_out_of_a_header_a_folder_or_its_line(raw: str) -> None:
    name = clean(raw)
    assert 0 < len(name) <= MOST_CHARS
    assert not set(name) & set('/\\<>:"|?*%\r\n\0\u202e\u2066\u2028')
    assert not any(unicodedata.category(c) in ("Cc", "Cs") for c in name)
    assert clean(name) == name
    header = disposition("attachment", name)
    assert header.isascii()
    assert header.isprintable()
    assert header.count('"') == 2


@pytest.mark.parametrize("type_", sorted(ENDINGS))
def test_a_name_ends_the_way_the_content_does(type_: str) -> None:
    endings = ENDINGS[type_]
    assert with_ending("run.exe", endings) == "run.exe" + endings[0]
    assert with_ending("A" + endings[-1].upper(), endings) == "A" + endings[-1].upper()
    assert len(with_ending("x" * MOST_CHARS, endings)) <= MOST_CHARS


def test_every_type_we_may_take_has_an_ending() -> None:
    assert set(ALLOWED) == set(ENDINGS)
