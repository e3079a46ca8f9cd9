"""Parsing of REST requests: bytes in, one of our messages out, or a refusal."""

from __future__ import annotations

import uuid
from typing import Any, TypeGuard

from bot.errors import BadRequest, TooLarge
from bot.settings import Settings
from bot.streams.messages import Inbound, conversation_id, message_id
from channels.kit.cleaning import clean, is_visible
from channels.kit.reading import read_object
from channels.rest.settings import NAME


def parse_message(body: bytes, settings: Settings, now: float) -> Inbound:
    """Read a request body.

    Raises:
        BadRequest: It is no JSON object with texts `sender` and `message` (or `quick_reply`).
        TooLarge: `body-too-large` or `text-too-long`.
    """
    data = read_object(body, settings.max_body_bytes)
    sender, text, tap = data.get("sender"), data.get("message", ""), data.get("quick_reply", "")
    if not _is_name(sender, 200):
        raise BadRequest("sender", "`sender` must be a text of 1 to 200 characters")
    if not isinstance(text, str) or not isinstance(tap, str) or not _is_utf8(tap):
        raise BadRequest("types", "`message` and `quick_reply` must be texts")
    if len(text) > settings.max_text_chars or len(tap) > 64:
        raise TooLarge("text-too-long", f"at most {settings.max_text_chars} characters are taken")
    text = clean(text)
    if not is_visible(text) and not tap:
        raise BadRequest("empty", "write a message, or tap a quick reply")
    vendor_id = data.get("message_id") or uuid.uuid4().hex
    if not _is_name(vendor_id, 128):
        raise BadRequest("message-id", "`message_id` must be a text of at most 128 characters")
    locale = data.get("locale", "")
    conversation = conversation_id(NAME, NAME, sender)
    return Inbound(
        id=message_id(conversation, vendor_id),
        conversation=conversation,
        channel=NAME,
        account=NAME,
        vendor_user=sender,
        text=text,
        tap=tap,
        sent_at=now,
        received_at=now,
        locale=locale if _is_name(locale, 32) else "",
        awaited=True,
    )


def _is_name(value: Any, longest: int) -> TypeGuard[str]:
    return isinstance(value, str) and 1 <= len(value) <= longest and _is_utf8(value)


def _is_utf8(text: str) -> bool:
    """JSON can carry half a character (a lone surrogate), which no store takes."""
    return not any("\ud800" <= character <= "\udfff" for character in text)
