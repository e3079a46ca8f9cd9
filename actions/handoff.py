"""Action that hands a conversation off to a person."""

from __future__ import annotations

from typing import Any

from rasa_sdk import Action, Tracker
from rasa_sdk.executor import CollectingDispatcher


class ActionHandoff(Action):
    """Action that requests a handoff by uttering `utter_handoff`.

    The action changes nothing itself, so it works alike in the engine, in the action server and in
    `rasa shell`. In a turn, bot.dialogue.move queues the conversation after Rasa has answered, and
    the customer is told their place in the queue.
    """

    def name(self) -> str:
        return "action_handoff"

    async def run(
        self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]
    ) -> list[dict[str, Any]]:
        entry = tracker.latest_message.get("answer_first")
        if entry:
            # What the customer can do themselves, such as blocking a card, must not wait.
            dispatcher.utter_message(response=f"utter_faq/{entry}")
        dispatcher.utter_message(response="utter_handoff", place=1)
        return []
