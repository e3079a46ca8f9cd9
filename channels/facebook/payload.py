"""Conversion between Messenger's webhook events or Send API and our messages.

Events: developers.facebook.com/docs/messenger-platform/reference/webhook-events. A delivery holds
several entries, each with several events, in no promised order. Nothing here raises on a strange
field: Meta would deliver it again and again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import unquote, urlsplit

from bot.files.names import clean
from bot.settings import Settings
from bot.streams.attachments import FETCHING, Attachment, file_id
from bot.streams.messages import Inbound, conversation_id, message_id
from channels.facebook.limits import BUTTONS
from channels.facebook.settings import NAME, FacebookSettings
from channels.kit.fitting import Part
from channels.kit.reading import id_at, number_at, object_at, objects_at, place, text_at

GET_STARTED = "samvad:start"
MENU = "samvad:menu:"
"""Before the key of a menu item, as payload of its postback."""
METADATA = "samvad:"
"""Before our message's id, in the metadata of what we send: comes back in the echo."""
SHOWN_FILES = {
    "image": "🖼",
    "video": "🎬",
    "audio": "🎤",
    "file": "📄",
    "template": "📄",
    "fallback": "🔗",
    "reel": "🎬",
    "ig_reel": "🎬",
}
"""Stands for what is no file of ours where there are no words, the same in every language."""
FETCHED = {"image": "image", "video": "video", "audio": "audio", "file": "file"}
"""Kinds of attachments that have an address to fetch a file from."""
SHOWN_AS_SENT = frozenset(
    {"image/jpeg", "image/png", "image/gif", "video/mp4", "audio/mpeg", "audio/mp4"}
)
"""Types that Messenger shows or plays; others go as files to save."""
MOST_FILES = 30
"""Messenger lets people choose so many pictures at once."""
_ADDRESS_CHARS = 4096


@dataclass(frozen=True)
class Event:
    """Our meaning of one webhook event."""

    kind: str
    """`message`, `echo`, `delivered`, `read`, `reaction` or `ignored`."""
    page: str = ""
    user: str = ""
    """The customer's page-scoped id."""
    at: float = 0.0
    """Vendor's time, Unix seconds; for receipts the moment up to which they hold."""
    inbound: Inbound | None = None
    menu: str = ""
    """Key of a menu item that was chosen."""
    text: str = ""
    """What an echo says."""
    mid: str = ""
    app: str = ""
    """App that sent what is echoed; empty for people in the page's inbox."""
    metadata: str = ""
    reason: str = ""

    @property
    def conversation(self) -> str:
        return conversation_id(NAME, self.page, self.user)


def parse(data: Mapping[str, Any], settings: Settings, now: float) -> list[Event]:
    """Read a delivery: all its events, by the vendor's time.

    Args:
        now: Unix seconds.
    """
    if data.get("object") != "page":
        return [Event("ignored", reason="other-object")]
    events = list(_events(dict(data), settings, now))
    # Receipts and the like keep their place among messages of the same moment.
    return sorted(events, key=lambda event: event.at)


def _events(data: dict[str, Any], settings: Settings, now: float) -> Iterator[Event]:
    for entry in objects_at(data, "entry"):
        page = id_at(entry, "id")
        if page not in settings.of(FacebookSettings).page_tokens:
            yield Event("ignored", reason="unknown-page")
            continue
        for item in objects_at(entry, "messaging"):
            yield _event(item, page, settings, now)
        for _ in objects_at(entry, "standby"):
            # Another app has the conversation at the moment: not ours to answer.
            yield Event("ignored", page, reason="standby")


def _event(item: dict[str, Any], page: str, settings: Settings, now: float) -> Event:
    sender, recipient = (
        id_at(object_at(item, "sender"), "id"),
        id_at(object_at(item, "recipient"), "id"),
    )
    at = (number_at(item, "timestamp") or 0) / 1000
    at = at if 0 < at <= now else now
    message = object_at(item, "message")
    if message.get("is_echo") is True:
        return _echo(message, page, recipient, at, settings)
    parsed = Event("ignored", page, sender, at)
    if not sender or sender == page:
        return replace(parsed, reason="no-sender")
    if message:
        return _message(parsed, message, settings, now)
    if postback := object_at(item, "postback"):
        return _postback(parsed, postback, settings, now)
    for name, kind in (("delivery", "delivered"), ("read", "read")):
        if receipt := object_at(item, name):
            until = (number_at(receipt, "watermark") or 0) / 1000
            return replace(parsed, kind=kind, at=until if until > 0 else at)
    if isinstance(item.get("reaction"), dict):
        return replace(parsed, kind="reaction")
    if referral := object_at(item, "referral"):
        # Somebody came back by a link or an advertisement: the chat is open before them.
        inbound = _inbound(parsed, f"referral:{at}:{id_at(referral, 'ref')}", now)
        return replace(parsed, kind="message", inbound=replace(inbound, kind="start"))
    return replace(parsed, reason="other-event")


def _message(parsed: Event, message: dict[str, Any], settings: Settings, now: float) -> Event:
    mid = id_at(message, "mid")
    if not mid:
        return replace(parsed, reason="no-mid")
    inbound = _inbound(parsed, mid, now)
    files = _files(message, inbound.id)
    text = text_at(message, "text", settings.max_text_chars)
    text = text if text or files else _shown(message)
    tap = id_at(object_at(message, "quick_reply"), "payload")
    if not text and not tap and not files:
        return replace(parsed, reason="nothing-said")
    inbound = replace(inbound, text=text, attachments=files)
    return _acted(replace(parsed, kind="message", mid=mid, inbound=inbound), tap)


def _postback(parsed: Event, postback: dict[str, Any], settings: Settings, now: float) -> Event:
    payload = id_at(postback, "payload")
    # Postbacks have a mid since v11.0; without one, moment and payload name it.
    mid = id_at(postback, "mid") or f"postback:{parsed.at}:{payload}"
    title = text_at(postback, "title", settings.max_text_chars)
    inbound = replace(_inbound(parsed, mid, now), text=title)
    event = replace(parsed, kind="message", mid=mid, inbound=inbound)
    if not payload and not title:
        return replace(parsed, reason="empty-postback")
    return _acted(event, payload)


def _acted(event: Event, payload: str) -> Event:
    """Return what our payload stands for: a greeting, a menu item, or a button's id."""
    assert event.inbound is not None  # noqa: S101 - the callers have just made it
    if payload == GET_STARTED:
        return replace(event, inbound=replace(event.inbound, kind="start", text=""))
    if payload.startswith(MENU):
        return replace(event, menu=payload.removeprefix(MENU))
    return replace(event, inbound=replace(event.inbound, tap=payload[:64]))


def _echo(message: dict[str, Any], page: str, user: str, at: float, settings: Settings) -> Event:
    mid = id_at(message, "mid")
    if not mid or not user:
        return Event("ignored", page, user, at, reason="no-mid")
    metadata = message.get("metadata")
    return Event(
        "echo",
        page,
        user,
        at,
        mid=mid,
        app=id_at(message, "app_id"),
        text=text_at(message, "text", settings.max_text_chars) or _shown(message),
        metadata=metadata if isinstance(metadata, str) else "",
    )


def _inbound(parsed: Event, mid: str, now: float) -> Inbound:
    return Inbound(
        id=message_id(parsed.conversation, mid),
        conversation=parsed.conversation,
        channel=NAME,
        account=parsed.page,
        vendor_user=parsed.user,
        sent_at=parsed.at,
        received_at=now,
        position=int(parsed.at * 1000),
    )


def _files(message: dict[str, Any], id_: str) -> tuple[Attachment, ...]:
    """Files to fetch; a sticker is a picture too, and stays a sign."""
    attachments: list[Attachment] = []
    for item in objects_at(message, "attachments")[:MOST_FILES]:
        payload, kind = object_at(item, "payload"), FETCHED.get(id_at(item, "type"), "")
        address = payload.get("url")
        if not kind or not isinstance(address, str) or number_at(payload, "sticker_id") is not None:
            continue
        name = clean(unquote(_path(address)), kind)
        usable = len(address) <= _ADDRESS_CHARS and address.isascii() and address.isprintable()
        source = address if usable else ""
        attachments.append(
            Attachment(file_id(id_, len(attachments)), kind, name, state=FETCHING, source=source)
        )
    return tuple(attachments)


def _path(address: str) -> str:
    """Path of an address; empty when it is none."""
    try:
        return urlsplit(address).path
    except ValueError:
        return ""


def _shown(message: dict[str, Any]) -> str:
    for attachment in objects_at(message, "attachments"):
        payload, kind = object_at(attachment, "payload"), id_at(attachment, "type")
        if kind == "location":
            return place(object_at(payload, "coordinates"), "lat", "long") or "📍"
        if number_at(payload, "sticker_id") is not None:
            return "👍"
        if kind:
            return SHOWN_FILES.get(kind, "📎")
    return ""


def shape(part: Part, metadata: str) -> dict[str, Any]:
    """Shape a part as the `message` of the Send API; the bytes of a file go beside it."""
    if part.attachment is not None:
        kind = part.attachment.kind if part.attachment.type in SHOWN_AS_SENT else "file"
        attachment = {"type": kind, "payload": {"is_reusable": False}}
        return {"attachment": attachment, "metadata": metadata}
    if part.style == BUTTONS:
        buttons = [{"type": "postback", "title": b.title, "payload": b.id} for b in part.buttons]
        template = {"template_type": "button", "text": part.text, "buttons": buttons}
        return {"attachment": {"type": "template", "payload": template}, "metadata": metadata}
    body: dict[str, Any] = {"text": part.text, "metadata": metadata}
    if part.buttons:
        body["quick_replies"] = [
            {"content_type": "text", "title": b.title, "payload": b.id} for b in part.buttons
        ]
    return body
