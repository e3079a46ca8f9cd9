"""What does not fit is converted, never dropped: in every script, for every platform."""

from __future__ import annotations

from dataclasses import replace

import builders
import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from bot.dialogue.context import Context
from bot.streams.messages import Outbound, QuickReply
from channels import registry
from channels.base import Channel
from channels.facebook import CHANNEL as FACEBOOK
from channels.kit.fitting import Part, numbered
from channels.kit.splitting import CLUSTER, shorten, split, units
from channels.telegram import CHANNEL as TELEGRAM

SAMPLES = {
    "Latin": "Your parcel left the warehouse. It arrives on Monday! Anything else?",
    "Devanagari": "आपका पार्सल निकल चुका है। क्षत्रिय को सोमवार तक मिलेगा। और कुछ?",
    "Bengali": "আপনার পার্সেল পাঠানো হয়েছে। সোমবার পৌঁছাবে।",
    "Malayalam": "നിങ്ങളുടെ പാഴ്സൽ പുറപ്പെട്ടു. തിങ്കളാഴ്ച എത്തും. ക്ഷമിക്കണം.",
    "Tamil": "உங்கள் பொதி புறப்பட்டது. திங்கள் அன்று வரும்.",
    "Thai": "พัสดุของคุณออกจากคลังแล้ว จะถึงวันจันทร์ มีอะไรอีกไหม",
    "Arabic": "غادرت شحنتك المستودع. ستصل يوم الاثنين، هل من شيء آخر؟",
    "Hebrew": "החבילה יצאה מהמחסן. היא תגיע ביום שני.",
    "Han": "您的包裹已离开仓库。预计星期一送达。还有什么需要吗？",
    "Kana": "お荷物は倉庫を出ました。月曜日に届きます。",
    "Hangul": "소포가 창고에서 출발했습니다. 월요일에 도착합니다.",
    "Cyrillic": "Посылка покинула склад. Она придёт в понедельник.",
    "Greek": "Το δέμα έφυγε από την αποθήκη; Φτάνει Δευτέρα.",
    "Ethiopic": "ጥቅልዎ ከመጋዘኑ ወጥቷል። ሰኞ ይደርሳል።",
    "Khmer": "កញ្ចប់របស់អ្នកបានចេញពីឃ្លាំង។ វានឹងមកដល់ថ្ងៃចន្ទ។",
    "Burmese": "သင့်ပါဆယ် ဂိုဒေါင်မှ ထွက်သွားပြီ။ တနင်္လာနေ့ ရောက်မည်။",
    "Emoji": "👨‍👩‍👧‍👦 🇮🇳 👍🏽 ❤️‍🔥 1️⃣ 🏴󠁧󠁢󠁳󠁣󠁴󠁿",
    "Decomposed": "e\u0301 n\u0303 a\u030a. u\u0308 o\u0302!",
}
words = st.lists(
    st.one_of(
        st.sampled_from([w for text in SAMPLES.values() for w in text.split()]),
        st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=12),
        st.sampled_from([".", "।", "\n\n", "\n", " ", "3.14", "https://a.example/b.c"]),
    ),
    max_size=60,
)


def bare(text: str) -> str:
    """Leave out all that `str.split` takes for space; the pattern's \\s knows fewer."""
    return "".join(text.split())


@given(words, st.sampled_from([" ", "", "\n"]), st.integers(30, 200))
def test_pieces_fit_lose_nothing_and_tear_no_character(
    parts: list[str], space: str, most: int
) -> None:
    text = space.join(parts)
    pieces = split(text, most)
    assert all(units(piece) <= most and piece == piece.strip() and piece for piece in pieces)
    assert bare("".join(pieces)) == bare(text)
    ends = {match.end() for match in CLUSTER.finditer(text)}
    longest = max((units(m.group()) for m in CLUSTER.finditer(text)), default=0)
    at = 0
    for piece in pieces:
        at = text.index(piece, at) + len(piece)
        assert at in ends or longest > most, "the piece ends within a character"


@pytest.mark.parametrize("script", SAMPLES)
def test_every_script_is_cut_between_its_characters(script: str) -> None:
    text = " ".join([SAMPLES[script]] * 40)
    for most in (20, 33, 64, 640):
        pieces = split(text, most)
        assert len(pieces) > 1
        assert bare("".join(pieces)) == bare(text)
        assert all(units(piece) <= most for piece in pieces)
        # No piece begins with what belongs to the character before it.
        assert not any(regex.match(r"[\p{M}\u200d]", piece) for piece in pieces)


@pytest.mark.parametrize(
    "script", ["Latin", "Devanagari", "Malayalam", "Arabic", "Han", "Ethiopic"]
)
def test_long_text_is_cut_at_the_ends_of_sentences(script: str) -> None:
    text = " ".join([SAMPLES[script]] * 30)
    pieces = split(text, 300)
    assert len(pieces) > 1
    assert all(regex.search(r"\p{STerm}$", piece) for piece in pieces)


def test_conjuncts_stay_whole() -> None:
    assert CLUSTER.findall("क्षत्रिय") == ["क्ष", "त्रि", "य"]
    assert split("क्षक्षक्ष", 4) == ["क्ष", "क्ष", "क्ष"]


def test_a_paragraph_is_a_better_place_than_a_sentence() -> None:
    assert split("One. Two.\n\nThree. Four five", 20) == ["One. Two.", "Three. Four five"]


def test_numbers_and_addresses_are_no_ends_of_sentences() -> None:
    assert split("It costs 3.14 in all", 12) == ["It costs", "3.14 in all"]


def test_one_endless_character_is_torn_rather_than_never_sent() -> None:
    text = "e" + "\u0301" * 50
    assert "".join(split(text, 20)) == text
    assert all(units(piece) <= 20 for piece in split(text, 20))


@given(st.text(max_size=80), st.integers(5, 40))
def test_what_is_shortened_fits(text: str, most: int) -> None:
    cut = shorten(text, most)
    assert units(cut) <= most
    assert cut == text or cut.endswith("…")


def test_every_rule_has_a_source_and_is_there_once() -> None:
    for channel in registry.CHANNELS:
        rules = channel.limits.rules
        assert all(rule.source and rule.value > 0 for rule in rules), channel.name
        assert len({rule.what for rule in rules}) == len(rules), channel.name


titles = st.lists(
    st.one_of(
        st.sampled_from([text[:24] for text in SAMPLES.values()]), st.text(min_size=1, max_size=30)
    ).filter(lambda title: bool(title.strip())),
    max_size=20,
)


def made(channel: Channel, text: str, names: list[str]) -> Outbound:
    replies = tuple(QuickReply(f"id{n:014d}", t, position=n) for n, t in enumerate(names))
    return replace(builders.outbound(text), channel=channel.name, quick_replies=replies)


def fit(channel: Channel, text: str, names: list[str]) -> list[Part]:
    return channel.fit(made(channel, text, names))


@given(st.sampled_from([FACEBOOK, TELEGRAM]), words, titles)
def test_whatever_is_said_fits_and_every_choice_can_be_made(
    channel: Channel, parts: list[str], names: list[str]
) -> None:
    outbound = made(channel, " ".join(parts), names)
    fitted = channel.fit(outbound)
    if bare(outbound.text):
        assert fitted
    said = "".join(part.text for part in fitted)
    assert bare(outbound.text) in bare(said)
    assert all(not part.buttons for part in fitted[:-1])
    for part in fitted:
        most = channel.limits.most("button text" if part.style == "buttons" else "text")
        assert 0 < units(part.text) <= most
        if channel is FACEBOOK and part.buttons:
            kind = {"buttons": "button", "quick-replies": "quick reply"}[part.style]
            plural = {"buttons": "buttons", "quick-replies": "quick replies"}[part.style]
            assert len(part.buttons) <= channel.limits.most(plural)
            assert all(channel.limits.rule(f"{kind} title").fits(b.title) for b in part.buttons)
    if fitted and names:
        ids = [button.id for button in fitted[-1].buttons]
        listed = bare(numbered(outbound.quick_replies)) in bare(said)
        assert ids == [reply.id for reply in outbound.quick_replies] or listed


def test_three_short_titles_are_buttons_four_are_quick_replies() -> None:
    (three,) = fit(FACEBOOK, "Choose", ["a", "b", "c"])
    (four,) = fit(FACEBOOK, "Choose", ["a", "b", "c", "d"])
    assert (three.style, four.style) == ("buttons", "quick-replies")


def test_a_title_that_is_too_long_becomes_a_line_and_its_button_a_number() -> None:
    (part,) = fit(FACEBOOK, "Choose", ["short", "x" * 21])
    assert part.text == f"Choose\n\n1. short\n2. {'x' * 21}"
    assert [(b.title, b.id[-1]) for b in part.buttons] == [("1", "0"), ("2", "1")]


def test_too_many_choices_become_a_list() -> None:
    (part,) = fit(FACEBOOK, "Choose", [f"t{n}" for n in range(14)])
    assert part.buttons == ()
    assert part.text.endswith("14. t13")


def test_long_text_keeps_its_buttons_at_the_end() -> None:
    parts = fit(FACEBOOK, "Sentence one. " * 300, ["yes", "no"])
    assert len(parts) > 2
    assert [part.style for part in parts] == [""] * (len(parts) - 1) + ["quick-replies"]


def test_nothing_to_say_is_no_message() -> None:
    assert fit(TELEGRAM, " \n", []) == []


@pytest.mark.parametrize("typed", ["2", " 2. ", "(2)", "2️⃣", "२", "٢", "๒", "൨", "#2"])
def test_the_number_of_a_line_acts_as_its_button(typed: str) -> None:
    shown = made(TELEGRAM, "Choose", ["one", "two", "three"]).quick_replies
    context = Context().with_shown("m1", shown[:1]).with_shown("m2", shown)
    assert context.typed(typed) == shown[1]


@pytest.mark.parametrize("typed", ["0", "4", "²", "22222", "2 of them", "-1"])
def test_other_numbers_are_just_text(typed: str) -> None:
    shown = made(TELEGRAM, "Choose", ["one", "two", "three"]).quick_replies
    assert Context().with_shown("m", shown).typed(typed) is None


def test_a_title_that_is_a_number_wins_over_the_place() -> None:
    shown = made(TELEGRAM, "How many?", ["2", "1"]).quick_replies
    assert Context().with_shown("m", shown).typed("2") == shown[0]
