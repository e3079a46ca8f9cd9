"""Pages as our messages, and our messages as pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.streams.messages import Inbound, conversation_id, message_id
from channels.kit.fitting import Part
from channels.kit.reading import id_at, text_at
from pager.settings import NAME


def parse(data: Mapping[str, Any], longest: int, now: float) -> Inbound | None:
    """Read a page; None for what is none."""
    page = dict(data)
    number, user, text = id_at(page, "page"), id_at(page, "from"), text_at(page, "text", longest)
    if not number or not user or not text:
        return None
    conversation = conversation_id(NAME, NAME, user)
    return Inbound(
        id=message_id(conversation, number),
        conversation=conversation,
        channel=NAME,
        account=NAME,
        vendor_user=user,
        text=text,
        sent_at=now,
        received_at=now,
    )


def shape(part: Part, user: str) -> dict[str, Any]:
    """Shape a part as the company's API takes it."""
    return {"to": user, "text": part.text}
