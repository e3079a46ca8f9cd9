import unicodedata

import pytest

from bot.understanding.embedding.transliterate import to_native


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("mera order kab aayega", "hi", "मेरा ओरदेर कब आयेगा"),
        ("maro kya chhe", "gu", "મરો કયા છે"),
        ("enikku panam thirike", "ml", "എനിക്കു പനം തിരികെ"),
        ("en panam eppo varum", "ta", "எந் பநஂ எப்பொ வருஂ"),
        ("Mujhe 2 chahiye!", "mr", "मुझे 2 चहिये!"),
    ],
)
def test_writes_the_script_of_the_language(text: str, language: str, expected: str) -> None:
    assert to_native(text, language) == expected


def test_other_languages_are_left_to_latin() -> None:
    assert to_native("kamusta po", "tl") is None


@pytest.mark.parametrize("language", ["hi", "bn", "gu", "pa", "ta", "te", "kn", "ml"])
def test_gives_letters_that_exist(language: str) -> None:
    written = to_native("bhai ghar pe dukan thik hai kaddu jhanda phool", language)
    assert written is not None
    assert not [c for c in written if unicodedata.category(c) == "Cn"]
