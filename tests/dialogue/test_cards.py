"""Cards of an action reach the channel beside its words."""

from __future__ import annotations

from functools import partialmethod

import pytest
from rasa_sdk.executor import CollectingDispatcher
from talk import Talk

from channels.webchat.server.cards import cards_of
from channels.webchat.server.client import message_of

CARD = {"title": "Teapot", "buttons": [{"title": "Shop", "url": "https://shop.example/teapot"}]}


async def test_an_action_may_send_cards(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = CollectingDispatcher.utter_message
    with_cards = partialmethod(plain, json_message={"cards": [CARD]})
    monkeypatch.setattr(CollectingDispatcher, "utter_message", with_cards)
    (*_, reply) = await talk.say("talk to a person")
    assert reply.text
    assert message_of(reply)["cards"] == [CARD]


@pytest.mark.parametrize(
    "raw",
    [
        None,
        "x",
        {"title": "x"},
        [None],
        [{}],
        [{"title": 5}],
        [{"title": " "}],
        [{"text": "no title"}],
    ],
)
def test_what_is_no_card_is_none(raw: object) -> None:
    assert cards_of({"cards": raw}) == []


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "JAVASCRIPT:alert(1)",
        " javascript:alert(1)",
        "java\tscript:alert(1)",
        "data:text/html,x",
        "vbscript:x",
        "//evil.example",
        "/path",
        "",
        "http://[",
        "file:///etc",
    ],
)
def test_no_button_leads_elsewhere(url: str) -> None:
    card = {"title": "x", "image": url, "buttons": [{"title": "go", "url": url}]}
    (made,) = cards_of({"cards": [card]})
    assert "buttons" not in made
    assert made.get("image", "/path") == "/path"


def test_cards_have_an_end() -> None:
    many = [{**CARD, "buttons": CARD["buttons"] * 9, "text": "x" * 5000}] * 40
    made = cards_of({"cards": many})
    assert (len(made), len(made[0]["buttons"]), len(made[0]["text"])) == (10, 3, 1000)
