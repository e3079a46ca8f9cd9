"""What must survive a translator does, and what must not leave the house does not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.language.protect import protect, split

KEPT = [
    "{name}",
    "{{order_id}}",
    "${total}",
    "%s",
    "%(n)s",
    "https://mela.example/a?b=c&d=1",
    "www.mela.example",
    "ann.lee+x@example.com",
    "+91 98765 43210",
    "MEL-2024-00017",
    "#5567",
    "1,299.50",
    "₹499",
    "25%",
    "10:30",
    "2026-03-09",
    "<b>",
    "</b>",
    '<a href="/x">',
    "**",
    "`code`",
    "](https://x.example/y)",
    "Mela",
    "१२३४५६",
    "[[7]]",
    "[[ 0 ]]",
]
WORDS = st.sampled_from(
    ["parcel", "is", "on its way.", "Where?", "पार्सल रास्ते में है।", "พัสดุ", "الطرد؟", "配達中。", "\n"]
)
PIECES = st.lists(st.one_of(WORDS, st.sampled_from(KEPT)), min_size=1, max_size=30)


@pytest.mark.parametrize("part", KEPT)
def test_each_kind_is_kept_from_the_translator(part: str) -> None:
    guard = protect(f"please see {part} today", ["Mela"])
    assert part not in guard.text.replace("[[0]]", "").replace("[[1]]", "")
    assert any(part in kept for kept in guard.parts)


@given(PIECES)
def test_parts_survive_in_their_number_whatever_the_translator_does_to_the_words(
    pieces: list[str],
) -> None:
    text = " ".join(pieces)
    guard = protect(text, ["Mela"])
    assert guard.restore(guard.text) == text
    shouted = "".join(letter.upper() for letter in guard.text)
    made = guard.restore(shouted)
    assert made is not None
    for part in {piece for piece in pieces if piece in KEPT}:
        assert made.count(part) >= text.count(part)


@given(st.text(max_size=200))
def test_any_text_comes_back_whole(text: str) -> None:
    guard = protect(text)
    assert guard.restore(guard.text) == text


@given(PIECES, st.integers(40, 200))
def test_pieces_fit_and_are_the_text_again(pieces: list[str], limit: int) -> None:
    text = protect(" ".join(pieces)).text
    made = split(text, limit)
    assert "".join(made) == text
    assert all(len(piece.encode()) <= limit for piece in made)
    # No mark is cut: each is whole in its piece.
    assert sum(piece.count("[[") for piece in made) == text.count("[[")
    assert all(piece.count("[[") == piece.count("]]") for piece in made)


def test_sentences_stay_whole_while_they_fit() -> None:
    assert split("One is here. Two is there. Three.", 27) == [
        "One is here. Two is there. ",
        "Three.",
    ]
    assert split("एक यहाँ है। दो वहाँ है।", 40) == ["एक यहाँ है। ", "दो वहाँ है।"]
    assert split("a line\nanother", 500) == ["a line\n", "another"]


@pytest.mark.parametrize(
    ("translated", "restored"),
    [
        ("voir [[ 0 ]] et 【【1】】", "voir {a} et 25%"),
        ("[[१]] पहले [[०]]", "25% पहले {a}"),
        ("voir [[0]]", None),
        ("[[0]] [[0]] [[1]]", None),
        ("[[0]] [[1]] [[2]]", None),
    ],
)
def test_marks_may_move_and_change_their_look_but_not_their_number(
    translated: str, restored: str | None
) -> None:
    assert protect("see {a} and 25%").restore(translated) == restored


def test_a_text_of_kept_parts_alone_needs_no_translator() -> None:
    assert not protect("{name} https://x.example 25%").has_words
    assert protect("ok {name}").has_words


def test_names_are_kept_as_words_only() -> None:
    guard = protect("Mela opens, Melanie waits", ["Mela"])
    assert guard.parts == ("Mela",)
    assert "Melanie" in guard.text


def test_numbers_within_unspaced_scripts_leave_the_words() -> None:
    assert protect("ภายใน5วัน").text == "ภายใน[[0]]วัน"
