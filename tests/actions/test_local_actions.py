"""Actions run in place give what the rasa-sdk executor gives, in half a millisecond."""

from __future__ import annotations

from typing import Any

import builders
import pytest
from rasa_sdk.executor import ActionExecutor

from actions import local
from bot.dialogue import parsed
from bot.dialogue.answer import HANDOFF
from bot.dialogue.rasa_call import calling_rasa

CALL: dict[str, Any] = {
    "sender_id": "c",
    "slots": {"language": "hi"},
    "latest_message": {"intent": {"name": "handoff"}, "entities": [], "text": ""},
    "events": [],
}


POLICY: dict[str, Any] = {**CALL, "latest_message": parsed.handoff(answer_first="lost-card")}
"""A question that only a person may settle, with an answer that must not wait."""


async def _by_executor(name: str, call: dict[str, Any]) -> tuple[list[dict[str, Any]], list[Any]]:
    """The way `python -m rasa_sdk --actions actions` runs it."""
    executor = ActionExecutor()
    executor.register_package("actions")
    result = await executor.run(
        {
            "next_action": name,
            "sender_id": "c",
            "tracker": {
                **call,
                "paused": False,
                "followup_action": None,
                "active_loop": {},
                "latest_action_name": None,
            },
            "domain": {},
        }
    )
    assert result is not None
    return result["responses"], result["events"]


@pytest.mark.parametrize("call", [CALL, POLICY], ids=["plain", "policy"])
@pytest.mark.parametrize("name", sorted(local.load()))
async def test_in_place_equals_the_action_server(name: str, call: dict[str, Any]) -> None:
    messages, events = await local.load()[name](call)
    assert (messages, events) == await _by_executor(name, call)
    assert messages


@pytest.mark.parametrize("call", [CALL, POLICY], ids=["plain", "policy"])
@pytest.mark.parametrize("name", sorted(local.load()))
async def test_a_turn_changes_nothing_of_what_an_action_says(
    name: str, call: dict[str, Any]
) -> None:
    outside = await local.load()[name](call)
    with calling_rasa(builders.rasa_call()) as rasa_call:
        before = rasa_call.tracker
        assert await local.load()[name](call) == outside
    assert rasa_call.tracker is before


async def test_a_handoff_asks_for_a_person_and_leaves_the_queue_to_the_turn() -> None:
    (message,), events = await local.load()["action_handoff"](CALL)
    assert (message["response"], message["place"]) == (HANDOFF, 1)
    assert events == []


async def test_what_must_not_wait_is_answered_before_the_handoff() -> None:
    messages, _ = await local.load()["action_handoff"](POLICY)
    assert [m["response"] for m in messages] == ["utter_faq/lost-card", HANDOFF]


def test_every_custom_action_of_the_domain_is_here() -> None:
    import yaml

    with open("domain.yml", encoding="utf-8") as file:
        assert set(yaml.safe_load(file)["actions"]) == set(local.load())
