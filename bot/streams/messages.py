"""Message types: `Inbound` from a customer, `Outbound` to one, and their quick replies.

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
    """Make the id of a conversation from its customer, the same for ever.

    Returns:
        `<channel>-<24 hex digits>`; safe in keys, addresses and logs.
    """
    digest = hashlib.sha256("\0".join((channel, account, vendor_user)).encode()).hexdigest()
    return f"{channel}-{digest[:24]}"


def message_id(conversation: str, vendor_message: str) -> str:
    """Make the id of a message; a repeated delivery gets the same id."""
    digest = hashlib.sha256(f"{conversation}\0{vendor_message}".encode()).hexdigest()
    return f"m{digest[:24]}"


def _known_fields(cls: type, data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields this code knows: during an update, newer processes send more."""
    names = _names(cls)
    return {key: value for key, value in data.items() if key in names}


@cache
def _names(cls: type) -> frozenset[str]:
    return frozenset(item.name for item in fields(cls))


def _attachments(values: Mapping[str, Any]) -> tuple[Attachment, ...]:
    return tuple(Attachment.from_dict(item) for item in values.get("attachments") or ())


@dataclass(frozen=True)
class Inbound:
    """Message from a customer, as stored in the inbox."""

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
    """Locale the channel reports, such as "hi-IN": a first guess, not a fact."""
    zone: str = ""
    """IANA time zone the channel reports, such as "Asia/Kolkata"; empty if it does not."""
    name: str = ""
    """Display name, where the channel gives one."""
    kind: str = "message"
    """`message`, or `start` when the customer opened the chat and expects a greeting."""
    position: int = 0
    """Vendor's order among messages that wait together; 0: in order of arrival."""
    attachments: tuple[Attachment, ...] = ()
    origin: str = ""
    """Digest of the address it came from, for allowances; empty where the channel has none."""
    awaited: bool = False
    """Whether a request waits for this turn's replies and must be told when there are none."""
    excess: bool = False
    """Beyond what one customer may ask in a while: kept for people, neither read nor answered."""

    def to_dict(self) -> dict[str, Any]:
        values = {key: value for key, value in vars(self).items() if value not in ("", 0.0, ())}
        if self.attachments:
            values["attachments"] = tuple(asdict(attachment) for attachment in self.attachments)
        return values

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Inbound:
        values = _known_fields(cls, data)
        values["attachments"] = _attachments(values)
        return cls(**values)


@dataclass(frozen=True)
class QuickReply:
    """Button under a message."""

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
    """Message to a customer, as stored in the outbox."""

    id: str
    """Inbound id and ordinal, or the desk's message id; detects a message sent twice."""
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
    """Id of the inbound message; empty for messages that answer none."""
    created_at: float = 0.0
    state: str = ""
    """Conversation state after this message; channels that show it use it."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    attachments: tuple[Attachment, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Outbound:
        values = _known_fields(cls, data)
        values["quick_replies"] = tuple(QuickReply(**q) for q in values.get("quick_replies", ()))
        values["attachments"] = _attachments(values)
        return cls(**values)
