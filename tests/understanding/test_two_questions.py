"""Where a message may be cut into two questions, and where it may not."""

from __future__ import annotations

import pytest

from bot.understanding.intents.two_questions import cuttable, split_questions


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (
            "where is my order and how do I change my address?",
            ["where is my order", "how do I change my address"],
        ),
        ("Where is my order? I want a refund!", ["Where is my order", "I want a refund"]),
        ("मेरा ऑर्डर कहाँ है और पता कैसे बदलूँ", ["मेरा ऑर्डर कहाँ है", "पता कैसे बदलूँ"]),
        ("พัสดุอยู่ที่ไหนและเปลี่ยนที่อยู่ยังไง", ["พัสดุอยู่ที่ไหน", "เปลี่ยนที่อยู่ยังไง"]),
        ("أين طلبي؟ كيف أغير العنوان", ["أين طلبي", "كيف أغير العنوان"]),
    ],
)
def test_two_questions_are_cut(text: str, parts: list[str]) -> None:
    assert split_questions(text) == parts


@pytest.mark.parametrize(
    "text",
    [
        "where is my order",
        "black and white",
        "ok. thanks!",
        "",
        "Sandra ordered it",
        "?" * 300,
        "a and b and c and d",
        "word " * 200,
        "is it late? (order 4711-0815)",
    ],
)
def test_one_question_stays_whole(text: str) -> None:
    assert split_questions(text) == []


def test_commas_cut_only_where_asked_for() -> None:
    text = "shipping cost, cash ok"
    assert split_questions(text) == []
    assert split_questions(text, at_commas=True) == ["shipping cost", "cash ok"]


@pytest.mark.parametrize("comma", [",", "،", "、", "\uff0c"])
def test_commas_of_every_script_cut(comma: str) -> None:
    assert split_questions(f"退货运费多少{comma}什么时候到账", at_commas=True) == [
        "退货运费多少",
        "什么时候到账",
    ]


def test_short_messages_may_be_cut_between_any_words() -> None:
    assert cuttable("shipping cost cash") == ["shipping", "cost", "cash"]
    assert cuttable("shipping") == []
    assert cuttable(" ".join(["word"] * 40)) == []
    assert cuttable("เรื่องยาว" * 50 + " " + "มาก" * 50) == []
