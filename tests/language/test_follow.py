"""The belief of a conversation, as little dialogues: message, and the language answered in."""

import pytest

from bot.language.detect import LanguageReading, detect
from bot.language.follow import Belief, choose, follow

GERMAN = ["Wo ist mein Paket?", "Ich warte schon seit zwei Wochen", "Das ist nicht gut"]
NOTHING = [
    "ok",
    "hi",
    "DHL?",
    "😀",
    "#A123-99",
    "4711 0815",
    "",
    "lol",
    "refund status",
    "https://x.de",
]


def play(messages: list[str], prior: str | None = None) -> list[str]:
    """Return the tag believed after each message."""
    belief: Belief | None = None
    tags = []
    for message in messages:
        belief, _ = follow(belief, detect(message), text=message, prior=prior)
        tags.append(belief.tag)
    return tags


def reading_of(language: str, confidence: float, script: str = "Latn") -> LanguageReading:
    return LanguageReading(language, script, confidence, False, (), ((language, confidence),))


@pytest.mark.parametrize("nothing", NOTHING)
def test_a_message_that_belongs_to_no_language_never_flips(nothing: str) -> None:
    assert play([GERMAN[0], nothing, nothing, nothing]) == ["de"] * 4
    assert play([nothing], prior="th") == ["th"]


@pytest.mark.parametrize("name", ["Calle Mayor 12", "iPhone 15 Pro Max", "Hill Road", "danke"])
def test_names_and_single_words_do_not_flip_a_conversation(name: str) -> None:
    assert play(["¿dónde está mi pedido?", name])[-1] == "es"


def test_a_clear_switch_flips_at_once() -> None:
    assert play([*GERMAN, "Can you please tell me where my parcel is?"])[-1] == "en"


def test_a_short_question_is_a_clear_switch_too() -> None:
    """ "order" says nothing about the language; "where is my" says enough."""
    hinglish = ["mera order kab aayega", "abhi tak nahi mila"]
    assert play([*hinglish, "where is my order"])[-1] == "en"
    assert play([hinglish[0], "where is my order", "refund kab milega"])[-1] == "hi-Latn"
    assert play([*hinglish, "thank you bro"])[-1] == "hi-Latn"


def test_another_script_flips_at_once() -> None:
    assert play(["where is my order", "it has been ten days", "ยังไม่ได้ของ"])[-1] == "th"


@pytest.mark.parametrize(
    ("greeting", "language"),
    [("hola", "es"), ("你好", "zh"), ("merhaba", "tr"), ("bonjour", "fr"), ("สวัสดี", "th")],
)
def test_one_telling_word_outweighs_the_locale(greeting: str, language: str) -> None:
    assert play([greeting], prior="en_US") == [language]


@pytest.mark.parametrize("locale", ["ar", "fa", "ur"])
def test_the_locale_decides_what_the_text_does_not(locale: str) -> None:
    assert play(["سلام"], prior=locale) == [locale]


def test_unclear_messages_flip_after_four() -> None:
    belief = Belief("de", script="Latn", weights=(("de", 2.5),))
    believed = []
    for _ in range(4):
        belief, _ = follow(belief, reading_of("nl", 1.0), text="abcdefgh")
        believed.append(belief.language)
    assert believed == ["de", "de", "de", "nl"]


def test_a_romanised_customer_is_answered_as_written() -> None:
    assert play(["mera order kab aayega bhai", "ok"]) == ["hi-Latn", "hi-Latn"]
    assert play(["mera order kab aayega bhai", "मेरा ऑर्डर कब आएगा"]) == ["hi-Latn", "hi"]


def test_the_matrix_of_a_mixed_message_is_followed() -> None:
    hinglish = "mera order kab aayega yaar, it's been 10 days"
    assert play([hinglish], prior="en") == ["hi-Latn"]
    assert play(["Where is my order, please tell me", hinglish]) == ["en", "en"]


def test_romanised_urdu_stays_urdu() -> None:
    assert play(["mera order kahan hai bhai"], prior="ur") == ["ur-Latn"]


def test_an_explicit_choice_wins_until_changed() -> None:
    messages = ["hola", "English please", "¿Dónde está mi pedido? No ha llegado"]
    assert play([*messages, "en español por favor"])[1:] == ["en", "en", "es"]


def test_a_wish_for_a_language_we_do_not_have_changes_nothing() -> None:
    spanish, _ = follow(None, detect("¿dónde está mi pedido?"), text="¿dónde está mi pedido?")
    text = "¿hablas francés?"
    assert follow(spanish, detect(text), text=text, answer_languages=("en", "es")) == (
        spanish,
        False,
    )
    assert follow(spanish, detect(text), text=text)[0].explicit == "fr"
    first, _ = follow(None, detect(text), text=text, prior="en", answer_languages=("en", "es"))
    assert (first.language, first.explicit) == ("es", None)


def test_an_earlier_choice_outlives_a_wish_that_is_refused() -> None:
    chosen = choose(Belief("en"), "hi")
    text = "please speak Japanese"
    after, _ = follow(chosen, detect(text), text=text, answer_languages=("en", "hi"))
    assert after.explicit == "hi"


def test_asking_in_the_script_wanted_is_enough() -> None:
    assert play(["hindi me baat karo"]) == ["hi-Latn"]
    assert play(["हिंदी में बात करो"]) == ["hi"]


def test_without_any_hint_there_is_still_a_language() -> None:
    assert play(["😀"]) == ["en"]


def test_the_first_message_is_no_switch_and_a_later_one_is() -> None:
    belief, switched = follow(None, detect(GERMAN[0]), text=GERMAN[0], prior="en")
    assert (belief.language, switched) == ("de", False)
    text = "Can you please tell me where my parcel is?"
    belief, switched = follow(belief, detect(text), text=text)
    assert (belief.language, switched) == ("en", True)


def test_a_button_keeps_the_evidence() -> None:
    belief, _ = follow(None, detect(GERMAN[0]), text=GERMAN[0])
    chosen = choose(belief, "hi-Latn")
    assert (chosen.language, chosen.romanised, chosen.explicit) == ("hi", True, "hi")
    assert chosen.weights == belief.weights


def test_a_belief_survives_json() -> None:
    belief = choose(Belief("de", weights=(("de", 0.5), ("en", 0.25))), "th")
    assert Belief.from_dict(belief.to_dict()) == belief
