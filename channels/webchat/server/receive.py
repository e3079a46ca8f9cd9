"""Read what a browser sends: bytes in, one of our messages out, or a clear refusal.

Framework-neutral: the aiohttp routes, the WebSocket and Rasa's input channel all call it. Nothing
here trusts the sender; every refusal is a BadRequest with a stable `code` (docs/webchat.md).
"""

from __future__ import annotations

import re
from typing import Any

from bot.errors import BadRequest, TooLarge
from bot.handoff.opening import is_place
from bot.settings import Settings
from bot.streams.attachments import MOST_IN_MESSAGE, Attachment
from bot.streams.messages import Inbound, message_id
from channels.kit import reading
from channels.kit.cleaning import clean, is_visible
from channels.webchat.server.session import Session
from channels.webchat.server.settings import NAME, WebchatSettings

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_QUICK_REPLY = re.compile(r"[\x21-\x7e]{1,64}")
_LOCALE = re.compile(r"[A-Za-z]{2,8}([_-][A-Za-z0-9]{1,8}){0,4}")
_KINDS = frozenset({"message", "start"})
TITLE_CHARS = 200
"""Longest text that may come along with a tap."""


def parse_message(body: bytes | str, session: Session, settings: Settings, now: float) -> Inbound:
    """Read a message frame.

    Args:
        body: JSON object with `id` (the client's, 1–64 of A–Z a–z 0–9 _ -), and `text` or
            `quick_reply`; optional `locale`, `zone` (IANA), and `kind` "start" for an opened, empty
            chat.
        now: Unix seconds.

    Raises:
        BadRequest: `not-json`, `wrong-type`, `bad-id`, `bad-quick-reply`, `bad-kind`, `empty` or
            `consent-needed`.
        TooLarge: `body-too-large` or `text-too-long`.
    """
    return message_from(read_object(body, settings), session, settings, now)


def read_object(body: bytes | str, settings: Settings) -> dict[str, Any]:
    """Read what a browser sent; raises like `channels.kit.reading.read_object`."""
    return reading.read_object(body, settings.max_body_bytes)


def file_ids(data: dict[str, Any]) -> list[str]:
    """Return the uploads a message names.

    Raises:
        BadRequest: `wrong-type`, `too-many-files`, or `unknown-file` for what is no id.
    """
    ids = data.get("attachments")
    if ids is None:
        return []
    if not isinstance(ids, list) or not all(isinstance(item, str) for item in ids):
        raise BadRequest("wrong-type", "attachments must be a list of ids")
    if len(ids) > MOST_IN_MESSAGE:
        raise BadRequest("too-many-files", f"send at most {MOST_IN_MESSAGE} files in a message")
    if not all(map(_ID.fullmatch, ids)) or len(set(ids)) < len(ids):
        raise BadRequest("unknown-file", "attachments must name your own uploads, each once")
    return ids


def message_from(
    data: dict[str, Any],
    session: Session,
    settings: Settings,
    now: float,
    attachments: tuple[Attachment, ...] = (),
) -> Inbound:
    """Make a message of a decoded frame and the files it names; raises like `parse_message`."""
    check_consent(session, settings)
    identifier = field(data, "id")
    if not _ID.fullmatch(identifier):
        raise BadRequest("bad-id", "id must be 1 to 64 characters of A-Z, a-z, 0-9, _ and -")
    kind = field(data, "kind") or "message"
    if kind not in _KINDS:
        raise BadRequest("bad-kind", 'kind must be "message" or "start"')
    raw, tap = field(data, "text"), field(data, "quick_reply")
    if tap and not _QUICK_REPLY.fullmatch(tap):
        raise BadRequest("bad-quick-reply", "quick_reply is not an id of a quick reply")
    longest = TITLE_CHARS if tap else settings.max_text_chars
    if len(raw) > longest:
        raise TooLarge("text-too-long", f"write at most {longest} characters")
    text = clean(raw)
    if kind == "start":
        text, tap, attachments = "", "", ()
    elif not tap and not attachments and not is_visible(text):
        raise BadRequest("empty", "write something, or tap a quick reply")
    locale = field(data, "locale")
    return Inbound(
        id=message_id(session.conversation, identifier),
        conversation=session.conversation,
        channel=NAME,
        account=session.site,
        vendor_user=session.visitor,
        text=text,
        tap=tap,
        # A browser's clock is not to be trusted with the order of messages.
        sent_at=now,
        received_at=now,
        # A hint only: what does not look like a locale is no reason to refuse a message.
        locale=locale if _LOCALE.fullmatch(locale) else "",
        zone=zone(data),
        kind=kind,
        attachments=attachments,
    )


def zone(data: dict[str, Any]) -> str:
    """Time zone a browser reports; "" for what is none."""
    given = field(data, "zone")
    return given if is_place(given) else ""


def check_consent(session: Session, settings: Settings) -> None:
    """Refuse to keep anything of a visitor who was to agree first and has not.

    Raises:
        BadRequest: `consent-needed`.
    """
    widget = settings.of(WebchatSettings)
    if widget.consent == "click" and session.consent != widget.consent_version:
        raise BadRequest("consent-needed", "the customer has not agreed yet", status=403)


def field(data: dict[str, Any], name: str) -> str:
    """Return a text field; empty when it is absent or null.

    Raises:
        BadRequest: `wrong-type`.
    """
    value = data.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise BadRequest("wrong-type", f"{name} must be text")
    return value
