from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_validate import _entry, _problems, _write

from bot.content.placeholders import NAMES, fill, resolve, values

ANSWER = "Order {order_number|that you placed} is on its way."


def said(answer: str, message: str) -> str:
    named = values(message)
    return fill(resolve(answer, named), named)


@pytest.mark.parametrize(
    ("message", "answer"),
    [
        ("where is order A123456", "Order A123456 is on its way."),
        ("मेरा ऑर्डर १२३४५६७ कहाँ है", "Order १२३४५६७ is on its way."),
        ("where is it", "Order that you placed is on its way."),
        ("BK-7741ถึงหรือยัง", "Order BK-7741 is on its way."),
        ("is my order for post code 682001 sent", "Order that you placed is on its way."),
        ("my otp 774190 for the order", "Order that you placed is on its way."),
        ("", "Order that you placed is on its way."),
    ],
)
def test_the_answer_names_what_the_question_named(message: str, answer: str) -> None:
    assert said(ANSWER, message) == answer


def test_every_kind_has_a_placeholder() -> None:
    message = "order #A123456, ann@example.com, +49 151 12345678, $12.50, on 2026-03-09"
    assert set(values(message)) == set(NAMES)


def test_other_braces_stay() -> None:
    assert said("{name} {order_number|it}", "hello") == "{name} it"


@given(st.text(max_size=40))
def test_what_a_customer_writes_is_never_read_as_a_placeholder(text: str) -> None:
    named = {"order_number": "{email|x}" + text}
    assert fill(resolve("{order_number|}", named), named) == "{email|x}" + text


def test_a_very_long_value_is_left_out() -> None:
    assert values("a@" + "b" * 200 + ".com") == {}


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        ("{order_number} is here", "needs words for messages without it"),
        ("{oder_number} is here", "is unknown; known are order_number"),
        ("{parcel|it} is here", "is unknown; known are order_number"),
        ("{order_number|it is here", "is not closed"),
    ],
)
def test_a_wrong_placeholder_is_refused(tmp_path: Path, answer: str, fault: str) -> None:
    raw = _entry(answers={"en": answer, "hi": "पाँच दिन।"})
    _write(tmp_path, raw)
    (problem,) = _problems(tmp_path)
    assert fault in problem
    assert "refund-time: `answers` in 'en'" in problem
