"""Detection of one message: scripts, languages, romanised text, and whatever strings exist."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.language.detect import LanguageReading, detect


@pytest.mark.parametrize(
    ("text", "tag", "script"),
    [
        ("मेरा ऑर्डर अभी तक नहीं आया", "hi", "Deva"),
        ("माझी ऑर्डर अजून आली नाही", "mr", "Deva"),
        ("എന്റെ ഓർഡർ എവിടെ", "ml", "Mlym"),
        ("ของยังไม่มาเลยค่ะ", "th", "Thai"),
        ("أين طلبي؟ لم يصل بعد", "ar", "Arab"),
        ("注文した商品が届きません", "ja", "Jpan"),
        ("我的订单在哪里", "zh", "Hani"),
        ("where is my order", "en", "Latn"),
        ("¿dónde está mi pedido?", "es", "Latn"),
        ("mera order kab aayega bhai", "hi-Latn", "Latn"),
        ("mazi order ajun aali nahi, kadhi yeil", "mr-Latn", "Latn"),
    ],
)
def test_a_plain_message_is_read(text: str, tag: str, script: str) -> None:
    reading = detect(text)
    assert (reading.tag, reading.script) == (tag, script)


@pytest.mark.parametrize(
    "text", ["", "😀🎉", "123 456", "#A-99", "https://example.com/de/hallo", "?!"]
)
def test_nothing_to_go_on_is_said(text: str) -> None:
    assert detect(text).language == "und"


@pytest.mark.parametrize(
    "text",
    [
        "\ud800",
        "\udfff hola \ud800",
        "a" * 100_000,
        "\u0301" * 1000,
        "\x00\x01\x1b",
        "ก" * 100_000,
        "a\u0301" * 1000,
    ],
)
def test_odd_strings_get_a_reading(text: str) -> None:
    assert 0.0 <= detect(text).confidence <= 1.0


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=st.characters(), max_size=60))
def test_every_string_gets_a_reading_that_survives_json(text: str) -> None:
    reading = detect(text)
    assert 0.0 <= reading.confidence <= 1.0
    again = LanguageReading.from_dict(reading.to_dict())
    assert (again.tag, again.script, again.mixed) == (reading.tag, reading.script, reading.mixed)
