"""Pass a conversation on to a person."""

from __future__ import annotations

from typing import Any

from rasa_sdk import Action, Tracker
from rasa_sdk.executor import CollectingDispatcher

from bot.dialogue import turn as turns
from bot.handoff.waiting import notice


class ActionHandoff(Action):
    """Queue the conversation and tell the customer where they stand.

    Outside a turn (`rasa shell`, the action server) there is no queue; the bot then only says
    that a person would take over.
    """

    def name(self) -> str:
        return "action_handoff"

    async def run(
        self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]
    ) -> list[dict[str, Any]]:
        turn = turns.current()
        if turn is None:
            dispatcher.utter_message(response="utter_handoff", place=1)
            return []
        place = await turn.handoff()
        if turn.entry and turn.decision and turn.decision.cause == "policy":
            # What the customer can do meanwhile, such as blocking a card, must not wait.
            dispatcher.utter_message(response=f"utter_faq/{turn.entry}")
        name, values = notice("handoff", place, str(turn.values.get("hours", "")))
        dispatcher.utter_message(response=name, **values)
        return []
