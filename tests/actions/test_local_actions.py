"""Actions run in place give what the rasa-sdk executor gives, in half a millisecond."""

from __future__ import annotations

from typing import Any

import builders
import pytest
from rasa_sdk.executor import ActionExecutor

from actions import local
from bot.conversation.escalation import Decision
from bot.dialogue.turn import CURRENT, Turn
from bot.routing.queue import QueuePlace

CALL: dict[str, Any] = {
    "sender_id": "c",
    "slots": {"language": "hi"},
    "latest_message": {"intent": {"name": "handoff"}, "entities": [], "text": ""},
    "events": [],
}


async def _by_executor(name: str) -> tuple[list[dict[str, Any]], list[Any]]:
    """The way `python -m rasa_sdk --actions actions` runs it."""
    executor = ActionExecutor()
    executor.register_package("actions")
    result = await executor.run(
        {
            "next_action": name,
            "sender_id": "c",
            "tracker": {
                **CALL,
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


@pytest.fixture
def in_a_turn() -> Any:
    async def enter() -> QueuePlace:
        return QueuePlace(2, 90.0, 1)

    turn: Turn = builders.turn_of(builders.inbound(), None)  # type: ignore[arg-type]
    turn.handoff = enter
    turn.decision = Decision("handoff")
    turn.values["hours"] = "8 to 22"
    token = CURRENT.set(turn)
    yield turn
    CURRENT.reset(token)


@pytest.mark.parametrize("name", sorted(local.load()))
async def test_in_place_equals_the_action_server_outside_a_turn(name: str) -> None:
    assert await local.load()[name](CALL) == await _by_executor(name)


@pytest.mark.parametrize("name", sorted(local.load()))
async def test_in_place_equals_the_action_server_in_a_turn(name: str, in_a_turn: Turn) -> None:
    messages, events = await local.load()[name](CALL)
    assert (messages, events) == await _by_executor(name)
    assert messages


async def test_a_handoff_tells_place_and_estimate(in_a_turn: Turn) -> None:
    (message,), _ = await local.load()["action_handoff"](CALL)
    assert message["response"] == "utter_handoff_estimate"
    assert (message["place"], message["minutes"]) == (2, 2)


def test_every_custom_action_of_the_domain_is_here() -> None:
    import yaml

    with open("domain.yml", encoding="utf-8") as file:
        assert set(yaml.safe_load(file)["actions"]) == set(local.load())
