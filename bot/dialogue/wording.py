"""Turns what Rasa and we say into replies of a turn: buttons, introduction, notices."""

from __future__ import annotations

import hashlib
import time
from dataclasses import replace
from typing import Any

from bot.content.texts import SystemTexts
from bot.conversation.messages import Outbound, QuickReply
from bot.dialogue.turn import Turn
from bot.settings import Settings


class Wording:
    """Adds replies to turns."""

    def __init__(self, settings: Settings) -> None:
        self._business = settings.business_name
        self._texts = SystemTexts.load(settings.default_language)

    def hours(self, turn: Turn) -> str:
        """When people are there, in the turn's language."""
        return self._texts.render("utter_hours", turn.language)

    def introduce(self, turn: Turn) -> None:
        """Once an episode, and once after each return: say that it is a bot."""
        stint = f"{turn.conversation.episode_id}:{turn.conversation.stint}"
        if turn.context.introduced != stint:
            turn.context = replace(turn.context, introduced=stint)
            self.say(turn, "utter_bot_intro")

    def say(self, turn: Turn, name: str, *, cancel: bool = False, **values: object) -> None:
        """Add a system answer; `cancel` puts the way back to the bot under it."""
        self.add(turn, self._output(turn, name, [self._cancel(turn)] if cancel else [], **values))

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
            buttons = [self._cancel(turn)]
        replies = tuple(
            QuickReply(
                id=_button_id(inbound.id, ordinal, position),
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
            metadata=dict(output.get("metadata") or {}),
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

    def _cancel(self, turn: Turn) -> dict[str, str]:
        return {
            "title": self._texts.render("utter_title_cancel", turn.language),
            "action": "cancel",
        }


def _button_id(message: str, ordinal: int, position: int) -> str:
    """Same message, same ids: a replayed turn shows the buttons the first run showed."""
    return hashlib.sha256(f"{message}:{ordinal}:{position}".encode()).hexdigest()[:16]
