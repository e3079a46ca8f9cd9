"""JSON of what travels: what goes in comes out, whatever customers type."""

from __future__ import annotations

from dataclasses import asdict

import pytest
from builders import outbound

from bot.conversation.states import State
from bot.stores.packing import pack, unpack
from bot.streams.messages import Outbound, QuickReply


@pytest.mark.parametrize("value", [{}, {"a": [1, 2.5, None, True]}, "नमस्ते 👋", [], 2**70, "\0"])
def test_json_survives(value: object) -> None:
    assert unpack(pack(value)) == value or value == 2**70


def test_text_is_written_as_it_is() -> None:
    assert pack({"a": "ക"}) == '{"a":"ക"}'


def test_dataclasses_are_objects_and_states_their_values() -> None:
    reply = outbound("hi", quick_replies=(QuickReply("q", "Yes"),), state=State.WAITING)
    read = unpack(pack({"kind": "x", "body": reply}))["body"]
    assert read == {**asdict(reply), "quick_replies": [asdict(reply.quick_replies[0])]} | {
        "attachments": []
    }
    assert Outbound.from_dict(read) == reply


def test_half_a_character_does_not_stop_the_rest() -> None:
    assert "\ud83d" in pack({"a": "x\ud83d", "b": QuickReply("q", "Yes")})


def test_what_is_no_json_is_told() -> None:
    with pytest.raises(ValueError, match=r"JSON|unexpected"):
        unpack("{")
    with pytest.raises(TypeError):
        pack({"a": object()})
