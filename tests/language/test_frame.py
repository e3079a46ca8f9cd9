"""The language of a message is that of its sentence, not of what is named or quoted in it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.language.detect import detect
from bot.language.follow import choose, follow
from bot.language.frame import without_names, without_quotes


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("मुझे Old Harbour Ceramic Tea Set में रुचि है", "hi"),
        ("मला Old Harbour Ceramic Tea Set पाहिजे होता", "mr"),
        ("ഈ Blue Ridge Waterproof Trail Shoes ഉണ്ടോ", "ml"),
        ("มี Blue Ridge Waterproof Trail Shoes ไหมคะ", "th"),
        ("هل Kettle And Crane Large Coffee Mug متوفر", "ar"),
        ("Blue Ridge Waterproof Trail Shoes 有货吗", "zh"),
        ("Old Harbour Ceramic Tea Set はありますか", "ja"),
        ("Blue Ridge Waterproof Trail Shoes 있어요?", "ko"),
        ("а Blue Ridge Waterproof Trail Shoes есть?", "ru"),
        ("old harbour ceramic tea set எப்போது வரும்", "ta"),
    ],
)
def test_an_english_name_in_another_script_is_mixed_in(text: str, language: str) -> None:
    reading = detect(text)
    assert (reading.language, reading.romanised, reading.mixed) == (language, False, ("en",))


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Wann kommt mein Old Harbour Ceramic Tea Set endlich?", "de"),
        ("Har I modtaget min The Little Lamp Company pakke?", "da"),
        ("Busco unas Blue Ridge Waterproof Trail Shoes para mi hija", "es"),
        ("Il mio Kettle And Crane Large Coffee Mug è arrivato rotto", "it"),
        ("Kdy dorazí moje Blue Ridge Waterproof Trail Shoes?", "cs"),
        ("mera Old Harbour Ceramic Tea Set kab milega", "hi-Latn"),
    ],
)
def test_an_english_name_changes_no_language_in_latin_letters(text: str, language: str) -> None:
    assert detect(text).tag == language


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ('Beim Bezahlen steht da "Something went wrong, please try again later"', "de"),
        ("al pagar me sale «Payment could not be processed at this time»", "es"),
        ("ตอนจ่ายเงินขึ้นว่า “Your card was declined by the bank”", "th"),
        ("The page only says „Zahlung konnte nicht verarbeitet werden“", "en"),
    ],
)
def test_a_quoted_error_is_no_evidence(text: str, language: str) -> None:
    assert detect(text).tag == language


@pytest.mark.parametrize(
    "text",
    [
        "what does नमस्ते mean in your email",
        "my name is राम and I am waiting for you to call",
        "the box says 中文 but I want the one from your website",
    ],
)
def test_a_word_of_another_script_in_an_english_sentence_leaves_it_english(text: str) -> None:
    assert detect(text).language == "en"


@pytest.mark.parametrize(
    "text", ["Where Is My Parcel", "Old Harbour Tea Set", '"Payment declined"']
)
def test_a_text_that_is_nothing_but_names_or_quotes_stays_whole(text: str) -> None:
    assert without_names(without_quotes(text)) == text


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("ส่ง BK-7741-2026 ถึงไหนแล้ว", "th"),
        ("BK-7741ถึงไหนแล้ว", "th"),
        ("774190ची माहिती द्या", "mr"),
        ("774190ന്റെ വിവരം തരൂ", "ml"),
        ("订单774190到哪了", "zh"),
        ("https://example.org/p/1?q=teaฉันอยากได้อันนี้", "th"),
        ("ส่งมาที่ nok.supaporn@example.orgนะคะ", "th"),
    ],
)
def test_what_is_written_on_to_a_number_or_an_address_is_read(text: str, language: str) -> None:
    assert detect(text).language == language


@given(st.text(max_size=60))
def test_a_message_with_letters_keeps_some(text: str) -> None:
    def letters(part: str) -> bool:
        return sum(map(str.isalpha, part)) >= 3

    assert letters(without_names(without_quotes(text))) == letters(text)


def test_an_english_speaker_who_writes_a_sentence_of_another_script_is_followed() -> None:
    hello = "hello, could you help me with something please"
    belief, _ = follow(None, detect(hello), text=hello)
    text = "मुझे Old Harbour Ceramic Tea Set वापस करना है"
    belief, changed = follow(belief, detect(text), text=text)
    assert (belief.language, changed) == ("hi", True)


def test_a_chosen_language_stays_through_names() -> None:
    belief = choose(None, "mr")
    for text in ("Blue Ridge Waterproof Trail Shoes", "Asha Deshpande", "12 Lake View Road"):
        belief, changed = follow(belief, detect(text), text=text)
        assert (belief.language, changed) == ("mr", False)


def _last_language(*texts: str, prior: str | None = None) -> str:
    belief = None
    for text in texts:
        belief, _ = follow(belief, detect(text), text=text, prior=prior)
    assert belief is not None
    return belief.language


def test_the_next_plain_sentence_corrects_a_mistake() -> None:
    assert _last_language("Set leveringstid", "hvornår kommer min pakke hjem til mig") == "da"
    assert _last_language("Total price?", "cuánto cuesta el envío a mi casa") == "es"


def test_a_name_or_an_address_answers_our_question_and_changes_nothing() -> None:
    hindi = "मेरा सामान अभी तक क्यों नहीं आया"
    assert _last_language(hindi, "Asha Deshpande") == "hi"
    assert _last_language(hindi, "Flat 9, 27 Lake View Road, Green Park") == "hi"
    assert _last_language("wo bleibt denn meine Ware", "Avenue des Champs Fleuris 9, Lyon") == "de"


@pytest.mark.parametrize(
    ("locale", "text"),
    [
        ("da", "kommer den i dag?"),
        ("no", "kommer den i dag?"),
        ("sr", "kad stiže paket"),
        ("hr", "kad stiže paket"),
    ],
)
def test_the_locale_settles_relatives(locale: str, text: str) -> None:
    assert _last_language(text, prior=locale) == locale


def test_the_conversation_settles_relatives() -> None:
    gujarati = "મારો સામાન હજી કેમ નથી આવ્યો"
    assert _last_language(gujarati, "refund kyare malse") == "gu"
    assert _last_language("எனக்கு பணம் எப்போது திரும்ப வரும்", "panam eppo varum") == "ta"
