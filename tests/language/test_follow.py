"""The belief of a conversation, as little dialogues: message, and the language answered in."""

import pytest

from bot.language.detect import detect
from bot.language.follow import Belief, choose, follow


def play(messages: list[str], prior: str | None = None) -> list[str]:
    belief: Belief | None = None
    tags = []
    for message in messages:
        belief, _ = follow(belief, detect(message), text=message, prior=prior)
        tags.append(belief.tag)
    return tags


@pytest.mark.parametrize(
    "nothing", ["ok", "hi", "DHL?", "😀", "#A123-99", "4711 0815", "", "lol", "refund status"]
)
def test_a_message_that_belongs_to_no_language_never_flips(nothing: str) -> None:
    assert (
        play(["Wo ist mein Paket? Ich warte seit Montag", nothing, nothing, nothing]) == ["de"] * 4
    )
    assert play([nothing], prior="th") == ["th"]


def test_a_clear_switch_flips_at_once() -> None:
    before = ["Wo ist mein Paket?", "Ich warte schon seit zwei Wochen", "Das ist nicht gut"]
    assert play([*before, "Can you please tell me where my parcel is?"])[-1] == "en"


def test_another_script_flips_at_once() -> None:
    assert play(["where is my order", "it has been ten days", "ยังไม่ได้ของ"])[-1] == "th"


def test_a_romanised_customer_is_answered_as_written() -> None:
    assert play(["mera order kab aayega bhai", "ok"]) == ["hi-Latn", "hi-Latn"]


def test_an_explicit_choice_wins_until_changed() -> None:
    messages = [
        "hola",
        "English please",
        "¿Dónde está mi pedido? No ha llegado",
        "en español por favor",
    ]
    assert play(messages)[1:] == ["en", "en", "es"]


def test_without_any_hint_there_is_still_a_language() -> None:
    assert play(["😀"]) == ["en"]


def test_the_first_message_is_no_switch_and_a_later_one_is() -> None:
    text = "Wo ist mein Paket? Ich warte seit Montag"
    belief, switched = follow(None, detect(text), text=text, prior="en")
    assert (belief.language, switched) == ("de", False)
    text = "Can you please tell me where my parcel is?"
    belief, switched = follow(belief, detect(text), text=text)
    assert (belief.language, switched) == ("en", True)


def test_a_button_keeps_the_evidence() -> None:
    belief, _ = follow(None, detect("Wo ist mein Paket?"), text="Wo ist mein Paket?")
    chosen = choose(belief, "hi-Latn")
    assert (chosen.language, chosen.romanised, chosen.explicit) == ("hi", True, "hi")
    assert chosen.weights == belief.weights


def test_a_belief_survives_json() -> None:
    belief = choose(Belief("de", weights=(("de", 0.5), ("en", 0.25))), "th")
    assert Belief.from_dict(belief.to_dict()) == belief
