"""What travels: a message from a customer, and a reply to one.

They become JSON only at the border (Redis streams, SQL rows, HTTP).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import cache
from typing import Any

from bot.streams.attachments import Attachment


def conversation_id(channel: str, account: str, vendor_user: str) -> str:
    """Name a conversation for ever, without asking any store.

    Returns:
        `<channel>-<24 hex digits>`; safe in keys, addresses and logs.
    """
    digest = hashlib.sha256("\0".join((channel, account, vendor_user)).encode()).hexdigest()
    return f"{channel}-{digest[:24]}"


def message_id(conversation: str, vendor_message: str) -> str:
    """Name a message so that a repeated delivery gets the same name."""
    digest = hashlib.sha256(f"{conversation}\0{vendor_message}".encode()).hexdigest()
    return f"m{digest[:24]}"


def _known(cls: type, data: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what a newer process has added: while machines are updated, both kinds run."""
    names = _names(cls)
    return {key: value for key, value in data.items() if key in names}


@cache
def _names(cls: type) -> frozenset[str]:
    return frozenset(item.name for item in fields(cls))


def _attachments(values: Mapping[str, Any]) -> tuple[Attachment, ...]:
    return tuple(Attachment.from_dict(item) for item in values.get("attachments") or ())


@dataclass(frozen=True)
class Inbound:
    """One message from a customer, as the inbox keeps it."""

    id: str
    """From `message_id`; the idempotency key of everything that follows."""
    conversation: str
    channel: str
    account: str
    """Page, bot or site key that received it."""
    vendor_user: str
    text: str = ""
    """What was typed; for a tap the title of the quick reply, if the vendor sends it."""
    tap: str = ""
    """Id of the tapped quick reply; empty for typed text."""
    sent_at: float = 0.0
    """Vendor's time, Unix seconds."""
    received_at: float = 0.0
    """Our time, Unix seconds."""
    locale: str = ""
    """Locale the channel reports, such as "hi-IN": a prior, not a fact."""
    zone: str = ""
    """IANA time zone the channel reports, such as "Asia/Kolkata"; empty if it does not."""
    name: str = ""
    """Display name, where the channel gives one."""
    kind: str = "message"
    """`message`, or `start` when the customer opened the chat and expects a greeting."""
    position: int = 0
    """Vendor's order among messages that wait together; 0: as they arrive."""
    attachments: tuple[Attachment, ...] = ()
    awaited: bool = False
    """A request waits for the replies of this turn and must learn, too, that there are none."""

    def to_dict(self) -> dict[str, Any]:
        told = {key: value for key, value in vars(self).items() if value not in ("", 0.0, ())}
        if self.attachments:
            told["attachments"] = tuple(asdict(one) for one in self.attachments)
        return told

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Inbound:
        values = _known(cls, data)
        values["attachments"] = _attachments(values)
        return cls(**values)


@dataclass(frozen=True)
class QuickReply:
    """One button under a message."""

    id: str
    """Opaque, bound to its conversation; at most 16 ASCII characters."""
    title: str
    entry: str = ""
    """FAQ entry it leads to; empty for an action."""
    action: str = ""
    """`person`, `helped`, `not-helped`, `cancel` or `language:<code>`."""
    position: int = 0
    """Place in the row, from 0."""
    content_version: int = 0


@dataclass(frozen=True)
class Outbound:
    """One message to a customer, as the outbox keeps it."""

    id: str
    """Inbound id and ordinal, or the desk's message id: sending it twice is noticed."""
    conversation: str
    channel: str
    account: str
    vendor_user: str
    text: str
    author: str = "bot"
    """`bot`, `agent` or `automatic` (notices such as "an agent has joined")."""
    agent: str = ""
    """Display name of the agent; empty otherwise."""
    language: str = "en"
    quick_replies: tuple[QuickReply, ...] = ()
    utter: str = ""
    """Rasa response name, such as `utter_greet` or `utter_faq/order-status`."""
    entry: str = ""
    content_version: int = 0
    in_reply_to: str = ""
    """Inbound id; empty for messages nobody asked for."""
    created_at: float = 0.0
    state: str = ""
    """Conversation state after this message; channels that show it use it."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    attachments: tuple[Attachment, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Outbound:
        values = _known(cls, data)
        values["quick_replies"] = tuple(QuickReply(**q) for q in values.get("quick_replies", ()))
        values["attachments"] = _attachments(values)
        return cls(**values)
