"""All spellings of a word are one word, wherever words are compared or looked for."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.content.models import Entry
from bot.content.parity import redact
from bot.content.validate import check_content
from bot.dialogue.context import Context, ShownReply
from bot.language.codes import language_named_in
from bot.language.detect import detect
from bot.language.entities import extract, without_identifiers
from bot.language.normalise import Folded, fold, in_letters_of, tidy
from bot.streams.messages import QuickReply

SPELLINGS = {
    "malayalam chillu": ["പാഴ്സൽ കിട്ടാൻ", "പാഴ്സല്\u200d കിട്ടാന്\u200d"],
    "malayalam nta": ["അവന്റെ", "അവൻറെ", "അവൻ്റെ", "അവന്\u200dറെ", "അവന്\u200d്റെ"],
    "malayalam au": ["മൗനം", "മൌനം"],
    "malayalam half u": ["ഇത്", "ഇതു്"],
    "hindi nasal": ["बिंदु संपर्क", "बिन्दु सम्पर्क"],
    "hindi moon dot": ["कहाँ", "कहां"],
    "hindi loan dot": ["ज़रूर", "जरूर", "ज\u093cरूर"],
    "hindi candra o": ["कॉपी", "काॅपी"],
    "marathi candra a": ["ॲप", "अ\u0945प", "अ\u200d\u0945प", "ऍप"],
    "marathi eyelash ra": ["वाऱ्या", "वार\u094d\u200dया"],
    "gujarati nasal": ["સંબંધ", "સમ્બન્ધ"],
    "telugu nasal": ["బంధు", "బన్ధు"],
    "two-part vowels": ["கொடு", "க\u0bc6\u0bbeடு"],
    "thai tone before vowel": ["ที่นี่", "ท\u0e48\u0e35น\u0e48\u0e35"],
    "thai doubled e": ["แพง", "เเพง"],
    "thai am": ["ทำน้ำ", "ท\u0e4d\u0e32น\u0e4d\u0e49\u0e32", "ท\u0e33น\u0e33\u0e49"],
    "thai repeated mark": ["ร้าน", "ร้้าน"],
    "lao am": ["ຄຳ", "ຄ\u0ecd\u0eb2"],
    "arabic stroke and points": ["متجر", "متـــجر", "مَتْجَر"],
    "arabic shapes": ["سلة", "ﺳﻠﺔ"],
    "arabic keyboards": ["كيف الحال يا ليلى", "کیف الحال یا لیلى", "كيف الحال يا لیلی"],
    "urdu keyboards": ["یہ کیسا ہے", "يه كيسا هے"],
    "full width": ["Basket 42", "Ｂａｓｋｅｔ　４２"],
    "mathematical": ["Basket 42", "𝐁𝐚𝐬𝐤𝐞𝐭 𝟒𝟐", "𝓑𝓪𝓼𝓴𝓮𝓽 𝟜𝟚"],
    "small capitals": ["bᴀꜱᴋᴇᴛ".replace("ꜱ", "s"), "basket"],
    "unseen": ["basket", "bas\u200bket", "\ufeffbasket", "bas\u00adket", "\u2066basket\u2069"],
    "digits": ["90817", "९०८१७", "๙๐๘๑๗", "٩٠٨١٧", "۹۰۸۱۷", "൯൦൮൧൭", "৯০৮১৭", "９０８１７"],
    "accents": ["resume", "Résumé", "re\u0301sume\u0301"],
    "kana": ["バッグ", "ﾊﾞｯｸﾞ"],
}
"""Kind → spellings of the same words."""
CASES = [(kind, other) for kind, others in SPELLINGS.items() for other in others[1:]]

SAME_LETTERS = {
    "arabic keyboards",
    "urdu keyboards",
    "hindi moon dot",
    "accents",
    "small capitals",
}
"""Kinds that differ for a reader and only compare alike; case is such a difference, too."""


@pytest.mark.parametrize(("kind", "other"), CASES)
def test_spellings_compare_alike(kind: str, other: str) -> None:
    assert fold(other) == fold(SPELLINGS[kind][0])


@pytest.mark.parametrize(("kind", "other"), CASES)
def test_models_read_one_spelling(kind: str, other: str) -> None:
    if kind not in SAME_LETTERS:
        assert tidy(other) == tidy(SPELLINGS[kind][0])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("അവൻ", "അവന്"),  # he; to him
        ("पता", "पत्ता"),
        ("अन्न", "अंन"),
        ("लड़का", "लडका"),
        ("ป่า", "ป้า"),
        ("கல்", "கால்"),
        ("か", "が"),
        ("দাড়ি", "দাডি"),
    ],
)
def test_other_words_stay_apart_for_the_models(one: str, other: str) -> None:
    assert tidy(one) != tidy(other)


def test_letters_follow_the_language_and_not_the_keyboard() -> None:
    assert in_letters_of("کتابی", "ar") == "كتابي"
    assert in_letters_of("كتابي", "fa") == "کتابی"
    assert in_letters_of("كه", "ur") == "کہ"
    assert in_letters_of("كتابي", "de") == "كتابي"


def test_persian_keeps_its_joiner_for_reading_and_not_for_comparing() -> None:
    assert tidy("می\u200cخواهم") == "می\u200cخواهم"
    assert fold("می\u200cخواهم") == fold("میخواهم")


LETTERS = st.text(
    st.one_of(
        st.sampled_from("".join(word for others in SPELLINGS.values() for word in others)),
        st.characters(codec="utf-8", max_codepoint=0xFFFF),
        st.sampled_from("aZ 5.\u0301\u200d\u200c\u0e33\u0e4d\u0d4d\u094d"),
    ),
    max_size=24,
)


@given(LETTERS)
def test_a_found_place_is_where_the_customer_wrote_it(text: str) -> None:
    folded = Folded.of(text)
    starts = list(folded.starts)
    assert len(starts) == len(folded.text) + 1
    assert starts == sorted(starts)
    assert starts[-1] == len(text)


@given(LETTERS)
def test_case_is_all_that_is_kept_where_values_are_looked_for(text: str) -> None:
    assert fold(Folded.of(text).text) == fold(fold(text))


@given(st.sampled_from(CASES), st.sampled_from(["", "\u200b", "\ufeff"]), st.booleans())
def test_every_place_takes_spellings_for_one(
    case: tuple[str, str], unseen: str, shouted: bool
) -> None:
    """Commands, buttons, duplicates, redaction, entities and detection alike."""
    kind, other = case
    word = SPELLINGS[kind][0]
    typed = unseen.join(["", other.upper() if shouted else other])
    assert fold(typed) == fold(word)

    button = QuickReply("b", word)
    assert Context(shown=(ShownReply(button, "m"),)).typed(typed) == button

    entries = [
        (f"{name}.yml", Entry(name, "topic", "", {}, {"en": (text,)}, {"en": "An answer."}))
        for name, text in (("one", word), ("two", typed))
    ]
    assert any("keep it where it belongs" in problem for problem in check_content(entries))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("ഓർഡർ ൯൦൮൧൭ വന്നില്ല", "90817"),
        ("ഓര്\u200dഡര്\u200d 90817 വന്നില്ല", "90817"),
        ("आॅर्डर ९०८१७ नहीं आया", "90817"),
        ("คําสั่งซื้อ ๙๐๘๑๗ ยังไม่มา", "90817"),
        ("کہاں ہے آرڈر ۹۰۸۱۷", "90817"),
        ("ﻃﻠﺐ ٩٠٨١٧", "90817"),
        ("𝗼𝗿𝗱𝗲𝗿 𝟵𝟬𝟴𝟭𝟳", "90817"),
        ("ｏｒｄｅｒ　９０８１７", "90817"),
        ("order 908\u200b17", "90817"),
    ],
)
def test_a_number_is_found_and_hidden_in_every_spelling(text: str, value: str) -> None:
    assert [(e.kind, e.value) for e in extract(text)] == [("order-number", value)]
    assert "[order-number]" in redact(text)
    assert not any(unicodedata.category(c) == "Nd" for c in redact(text))
    assert not any(unicodedata.category(c) == "Nd" for c in without_identifiers(text))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("मुझे सम्बन्धित जानकारी चाहिए", "मुझे संबंधित जानकारी चाहिए"),
        ("എനിക്ക് പാഴ്സൽ കിട്ടാൻ വൈകി", "എനിക്ക് പാഴ്സല്\u200d കിട്ടാന്\u200d വൈകി"),
        ("𝘄𝗵𝗲𝗿𝗲 𝗶𝘀 𝘁𝗵𝗲 𝗯𝗮𝘀𝗸𝗲𝘁", "where is the basket"),
        ("ﺃﻳﻦ ﺍﻟﺴﻠﺔ", "أين السلة"),
        ("Ｗｏ　ｉｓｔ　ｍｅｉｎ　Ｋｏｒｂ", "Wo ist mein Korb"),
    ],
)
def test_detection_reads_spellings_alike(one: str, other: str) -> None:
    assert detect(one) == detect(other)


def test_a_language_is_asked_for_in_any_spelling() -> None:
    assert language_named_in("हिन्दी में") == language_named_in("हिंदी में") == "hi"
    assert language_named_in("𝗘𝗻𝗴𝗹𝗶𝘀𝗵 please") == "en"
    assert language_named_in("മലയാളത്തില്\u200d") == "ml"
