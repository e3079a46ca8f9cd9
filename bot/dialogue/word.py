"""Wording of replies: outputs of Rasa and system answers become messages with buttons."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from bot.content.texts import SystemTexts
from bot.conversation.store import Conversation
from bot.dialogue.answer import Output
from bot.dialogue.move import QueueStatus
from bot.handoff.opening import sentence
from bot.handoff.waiting import actions_under, button_id, notice
from bot.settings import Settings
from bot.streams.messages import Inbound, Outbound, QuickReply

INTRODUCTION = "utter_bot_intro"


@dataclass(frozen=True)
class ReplyFields:
    """Fields that all replies of a turn share."""

    inbound: Inbound
    conversation: Conversation
    """The conversation, whose state is sent with the reply."""
    language: str
    content_version: int


class Wording:
    """Makes replies; one per process."""

    def __init__(self, settings: Settings) -> None:
        self._business = settings.business_name
        self._texts = SystemTexts.load(settings.default_language)

    # — outputs —

    def system(
        self, name: str, language: str, actions: Iterable[str] = (), **values: object
    ) -> Output:
        """Make a system answer with buttons for these actions."""
        return {
            "text": self._texts.render(name, language, business=self._business, **values),
            "utter_action": name,
            "language": self._texts.language_for(name, language),
            "quick_replies": self._buttons(actions, language),
        }

    def offer_person(self, name: str, language: str) -> Output:
        """Make a system answer with a button for a person."""
        return self.system(name, language, ("person",))

    def in_queue(self, name: str, language: str, **values: object) -> Output:
        """Make a system answer with buttons to leave the queue."""
        return self.system(name, language, actions_under(name), **values)

    def queue_status(
        self, kind: str, queue_status: QueueStatus, inbound: Inbound, language: str
    ) -> Output:
        """Make a notice of the place in the queue; `kind` as in `bot.handoff.waiting`."""
        hours = sentence(
            self._texts,
            language,
            queue_status.attendance,
            inbound.received_at,
            inbound.locale,
            inbound.zone,
        )
        name, values = notice(kind, queue_status.place, hours)
        return self.in_queue(name, language, **values)

    # — replies —

    def replies(
        self, outputs: Iterable[Output], fields: ReplyFields, first_ordinal: int = 0
    ) -> tuple[Outbound, ...]:
        """Make a reply of each output, numbered from `first_ordinal`."""
        return tuple(
            self._reply(output, fields, ordinal)
            for ordinal, output in enumerate(outputs, start=first_ordinal)
        )

    def _reply(self, output: Output, fields: ReplyFields, ordinal: int) -> Outbound:
        inbound, conversation = fields.inbound, fields.conversation
        buttons = tuple(
            QuickReply(
                id=button_id(inbound.id, ordinal, position),
                title=button["title"],
                entry=button.get("entry", ""),
                action=button.get("action", ""),
                position=position,
                content_version=fields.content_version,
            )
            for position, button in enumerate(output.get("quick_replies") or ())
        )
        return Outbound(
            id=f"{inbound.id}:{ordinal}",
            conversation=conversation.id,
            channel=conversation.channel,
            account=conversation.account,
            vendor_user=conversation.vendor_user,
            text=str(output.get("text") or ""),
            language=str(output.get("language") or fields.language),
            quick_replies=buttons,
            utter=str(output.get("utter_action") or ""),
            entry=str(output.get("entry") or ""),
            content_version=int(output.get("content_version") or 0),
            in_reply_to=inbound.id,
            created_at=time.time(),
            state=conversation.state.value,
            metadata=_metadata(output),
        )

    def _buttons(self, actions: Iterable[str], language: str) -> list[dict[str, str]]:
        return [
            {"title": self._texts.render(f"utter_title_{action}", language), "action": action}
            for action in actions
        ]


def _metadata(output: Output) -> dict[str, Any]:
    """Return the reply's metadata; an action's `json_message` may have `cards`."""
    custom = output.get("custom")
    cards = custom.get("cards") if isinstance(custom, Mapping) else None
    return {**(output.get("metadata") or {}), **({"cards": cards} if cards else {})}
