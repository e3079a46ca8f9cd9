"""What travels: names that never change, and JSON that comes back as it was."""

from __future__ import annotations

import json

import builders
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.streams.messages import (
    Inbound,
    Outbound,
    QuickReply,
    conversation_id,
    message_id,
)

TEXT = st.text(st.characters(exclude_categories=["Cs"]))


def test_a_conversation_is_channel_account_and_user_and_keeps_its_name_for_ever() -> None:
    """Written down once: another way of naming would lose every customer's history."""
    assert conversation_id("telegram", "shop_bot", "42") == "telegram-b8f6d7bd2f0101bc64018494"
    assert message_id("telegram-x", "7") == "m3862cfb8fc59b1cd247ef614"


@pytest.mark.parametrize(
    "other",
    [("telegram", "shop_bot", "4"), ("telegram", "shop", "_bot42"), ("tele", "gramshop_bot", "42")],
)
def test_neighbours_have_other_names(other: tuple[str, str, str]) -> None:
    assert conversation_id(*other) != conversation_id("telegram", "shop_bot", "42")


@given(TEXT, TEXT, TEXT)
def test_whatever_a_vendor_calls_a_user_the_name_is_safe_in_keys_and_addresses(
    account: str, user: str, message: str
) -> None:
    name = conversation_id("webchat", account, user)
    assert name.startswith("webchat-")
    assert name.replace("-", "").isalnum()
    assert name.isascii()
    assert len(name) <= 64
    assert len(message_id(name, message)) <= 32


NAME = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


@given(st.builds(Inbound, NAME, NAME, NAME, NAME, NAME, TEXT, TEXT, st.floats(0, 2e9)))
def test_an_inbound_message_survives_json(message: Inbound) -> None:
    assert Inbound.from_dict(json.loads(json.dumps(message.to_dict()))) == message


def test_an_outbound_message_survives_json() -> None:
    buttons = (
        QuickReply("q1", "हाँ", entry="e", position=0, content_version=3),
        QuickReply("q2", "x"),
    )
    message = builders.outbound("नमस्ते", quick_replies=buttons, metadata={"of": 2})
    assert Outbound.from_dict(json.loads(json.dumps(message.to_dict()))) == message
