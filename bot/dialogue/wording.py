"""Turns what Rasa and we say into replies of a turn: buttons, introduction, notices."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from bot.content.texts import SystemTexts
from bot.dialogue.turn import Turn
from bot.handoff.opening import Attendance, sentence
from bot.handoff.waiting import actions_under, button_id
from bot.settings import Settings
from bot.streams.messages import Outbound, QuickReply


class Wording:
    """Adds replies to turns."""

    def __init__(self, settings: Settings) -> None:
        self._business = settings.business_name
        self._texts = SystemTexts.load(settings.default_language)

    def hours(self, turn: Turn) -> str:
        """When people are there, in the turn's language."""
        there = turn.attendance or Attendance()
        came = turn.inbound
        now, locale, zone = came.received_at, came.locale, came.zone
        return sentence(self._texts, turn.language, there, now, locale, zone)

    def introduce(self, turn: Turn) -> None:
        """Once an episode, and once after each return: say that it is a bot."""
        stint = f"{turn.conversation.episode_id}:{turn.conversation.stint}"
        if turn.context.introduced != stint:
            turn.context = replace(turn.context, introduced=stint)
            self.say(turn, "utter_bot_intro")

    def say(self, turn: Turn, name: str, *, cancel: bool = False, **values: object) -> None:
        """Add a system answer; `cancel` puts the ways out of the queue under it."""
        buttons = self._ways_out(turn, name) if cancel else []
        self.add(turn, self._output(turn, name, buttons, **values))

    def offer_person(self, turn: Turn, name: str, **values: object) -> None:
        """Add a system answer with the way to a person under it."""
        title = self._texts.render("utter_title_person", turn.language)
        self.add(turn, self._output(turn, name, [{"title": title, "action": "person"}], **values))

    def _output(
        self, turn: Turn, name: str, buttons: list[dict[str, str]], **values: object
    ) -> dict[str, Any]:
        return {
            "text": self._texts.render(name, turn.language, business=self._business, **values),
            "utter_action": name,
            "language": self._texts.language_for(name, turn.language),
            "quick_replies": buttons,
        }

    def add(self, turn: Turn, output: dict[str, Any]) -> None:
        """Add one output of Rasa (keys of `bot.dialogue.nlg`) as a reply."""
        inbound, conversation = turn.inbound, turn.conversation
        ordinal = len(turn.replies)
        utter = str(output.get("utter_action") or "")
        buttons = list(output.get("quick_replies") or ())
        if utter.startswith("utter_handoff") and not buttons:
            buttons = self._ways_out(turn, utter)
        replies = tuple(
            QuickReply(
                id=button_id(inbound.id, ordinal, position),
                title=button["title"],
                entry=button.get("entry", ""),
                action=button.get("action", ""),
                position=position,
                content_version=turn.knowledge.content.number,
            )
            for position, button in enumerate(buttons)
        )
        reply = Outbound(
            id=f"{inbound.id}:{ordinal}",
            conversation=conversation.id,
            channel=conversation.channel,
            account=conversation.account,
            vendor_user=conversation.vendor_user,
            text=str(output.get("text") or ""),
            language=str(output.get("language") or turn.language),
            quick_replies=replies,
            utter=utter,
            entry=str(output.get("entry") or ""),
            content_version=int(output.get("content_version") or 0),
            in_reply_to=inbound.id,
            created_at=time.time(),
            state=conversation.state.value,
            metadata=_metadata(output),
        )
        turn.replies.append(reply)
        turn.context = turn.context.with_shown(reply.id, replies)
        if replies:
            shown = [
                {"entry": r.entry, "action": r.action, "position": r.position} for r in replies
            ]
            turn.event(
                "quick-reply.shown",
                ordinal=f":{ordinal}",
                replies=shown,
                version=turn.knowledge.content.number,
            )

    def _ways_out(self, turn: Turn, utter: str) -> list[dict[str, str]]:
        return [
            {
                "title": self._texts.render(f"utter_title_{action}", turn.language),
                "action": action,
            }
            for action in actions_under(utter)
        ]


def _metadata(output: dict[str, Any]) -> dict[str, Any]:
    """What goes along with the words; an action's `json_message` may hold `cards`."""
    custom = output.get("custom")
    cards = custom.get("cards") if isinstance(custom, dict) else None
    return {**(output.get("metadata") or {}), **({"cards": cards} if cards else {})}
