"""Language codes: one spelling for all, and requests to change language."""

import pytest

from bot.language import codes


@pytest.mark.parametrize(
    ("spelling", "ours"),
    [
        ("pt_BR", "pt"),
        ("zh-CN", "zh"),
        ("zh-cn", "zh"),
        ("iw", "he"),
        ("fil", "tl"),
        ("nb_NO", "no"),
        ("HI", "hi"),
        ("arz", "ar"),
        ("", "und"),
        (None, "und"),
        ("C", "und"),
        ("ไทย", "und"),
    ],
)
def test_spellings_become_ours(spelling: str | None, ours: str) -> None:
    assert codes.normalise(spelling) == ours


def test_names_are_in_the_language_itself() -> None:
    assert codes.name("hi") == "हिन्दी"
    assert codes.name("ml") == "മലയാളം"
    assert codes.name("xx") == "xx"


def test_direction_follows_the_script_in_use() -> None:
    assert codes.direction("ar") == "rtl"
    assert codes.direction("ur-Latn") == "ltr"
    assert codes.direction("th") == "ltr"


def test_translators_get_their_own_spelling() -> None:
    assert codes.for_translator("zh", "google") == "zh-CN"
    assert codes.for_translator("hi-Latn", "deepl") == "hi"


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("speak English", "en"),
        ("English", "en"),
        ("Do you speak English?", "en"),
        ("I dont speak english, hindi please", "hi"),
        ("can we talk in Malayalam please?", "ml"),
        ("Thai please", "th"),
        ("हिंदी में बोलिए", "hi"),
        ("मराठीत बोला", "mr"),
        ("क्या आप अंग्रेजी में बात कर सकते हैं", "en"),
        ("marathi madhe bola", "mr"),
        ("hindi me baat karo", "hi"),
        ("malayalathil samsarikkamo", "ml"),
        ("മലയാളത്തിൽ സംസാരിക്കാമോ?", "ml"),
        ("en español por favor", "es"),
        ("¿Hablas inglés?", "en"),
        ("تكلم بالعربية من فضلك", "ar"),
        ("هل تتحدث الإنجليزية؟", "en"),
        ("พูดไทยได้ไหมครับ", "th"),
        ("ขอภาษาอังกฤษหน่อยค่ะ", "en"),
        ("auf Deutsch bitte", "de"),
        ("english nahi, hindi me bolo", "hi"),
        ("tiếng việt", "vi"),
    ],
)
def test_a_request_for_a_language_is_understood(text: str, language: str) -> None:
    assert codes.language_named_in(text) == language


@pytest.mark.parametrize(
    "text",
    [
        "Do you have the manual in Spanish?",
        "where is my order",
        "not english",
        "I bought the English breakfast tea and it is stale",
        "hindi or marathi",
        "",
        "please speak",
        "ไม่พูดภาษาอังกฤษ",
        "x" * 5000,
    ],
)
def test_a_mention_of_a_language_is_no_request(text: str) -> None:
    assert codes.language_named_in(text) is None


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("i want to talk to someone in hindi", "hi"),
        ("mujhe hindi me agent se baat karni hai", "hi"),
        ("can i speak to someone in spanish please", "es"),
        ("is there someone who speaks spanish?", "es"),
        ("talk to support in hindi", "hi"),
        ("hindi speaking person please", "hi"),
        ("मुझे हिंदी में किसी से बात करनी है", "hi"),
        ("मराठीत कोणाशी संवाद साधा", "mr"),
        ("quiero hablar con un agente en español", "es"),
        ("أريد التحدث مع أحد بالعربية", "ar"),
        ("ขอคุยกับเจ้าหน้าที่ภาษาไทย", "th"),
    ],
)
def test_a_person_who_speaks_a_language_may_be_asked_for(text: str, language: str) -> None:
    assert codes.language_named_in(text) == language
    assert codes.person_named_in(text)


@pytest.mark.parametrize(
    "text",
    [
        "can you speak hindi",
        "hindi please",
        "talk to me in hindi",
        "does anyone speak hindi",
        "support in hindi please",
        "ayuda en español",
        "हिंदी में बोलिए",
        "พูดไทยได้ไหมครับ",
    ],
)
def test_a_request_for_a_language_alone_names_no_person(text: str) -> None:
    assert codes.language_named_in(text)
    assert not codes.person_named_in(text)
