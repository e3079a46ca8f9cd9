"""Conversion between Telegram's updates or calls and our messages.

Updates: https://core.telegram.org/bots/api#update (Bot API 10.1). Nothing here raises on a strange
field: Telegram would send the update again and again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from bot.files.content import endings_of, kind_of, plain
from bot.files.names import clean, with_ending
from bot.settings import Settings
from bot.streams.attachments import FETCHING, Attachment, file_id
from bot.streams.messages import Inbound, conversation_id, message_id
from channels.kit.fitting import Part
from channels.kit.reading import (
    NAME_CHARS,
    id_at,
    number_at,
    object_at,
    objects_at,
    place,
    text_at,
)
from channels.kit.splitting import units
from channels.telegram.limits import LIMITS
from channels.telegram.settings import NAME, TelegramBot

ALLOWED_UPDATES = ("message", "edited_message", "callback_query", "my_chat_member")
"""What the webhook asks for."""
GROUPS = frozenset({"group", "supergroup"})
SHOWN_FILES = {
    "photo": "🖼",
    "video": "🎬",
    "animation": "🎬",
    "video_note": "🎬",
    "voice": "🎤",
    "audio": "🎵",
    "document": "📄",
    "contact": "👤",
    "poll": "📊",
    "dice": "🎲",
}
"""Stands for what is no file of ours where there are no words, the same in every language."""
FETCHED = {
    "animation": ("video", "video/mp4"),
    "video": ("video", "video/mp4"),
    "video_note": ("video", "video/mp4"),
    "voice": ("audio", "audio/ogg"),
    "audio": ("audio", "audio/mpeg"),
    "document": ("file", ""),
}
"""Fields with a file → its kind and usual type. An animation comes as a document too."""
PHOTOS = frozenset({"image/jpeg", "image/png", "image/webp"})
AS_DOCUMENT = ("sendDocument", "document")
SENT_AS = {
    "video/mp4": ("sendVideo", "video"),
    "image/gif": ("sendAnimation", "animation"),
    "audio/mpeg": ("sendAudio", "audio"),
    "audio/mp4": ("sendAudio", "audio"),
}
"""What Telegram plays; all else is sent as a document."""
_COMMAND = re.compile(r"/([A-Za-z0-9_]{1,32})(?:@([A-Za-z0-9_]{1,64}))?(?:\s|$)")
_LOCALE = re.compile(r"[A-Za-z]{2,8}([_-][A-Za-z0-9]{1,8}){0,4}")
_WIDE = 18
"""Titles up to this length stand two in a row."""


@dataclass(frozen=True)
class Update:
    """Our meaning of an update."""

    inbound: Inbound | None = None
    callback: str = ""
    """Callback query to answer, whatever else happens: its button spins until then."""
    edited: bool = False
    """`inbound` is what an older message says now."""
    command: str = ""
    """Command of our menu, without its slash."""
    reply_to: int = 0
    """Message in a group that the answer should hang on."""
    thread: int = 0
    """Topic of the group it was written in."""
    moved_to: str = ""
    """The group `chat` has this id now."""
    chat: str = ""
    blocked: bool | None = None
    """The customer blocked (True) or unblocked us."""
    ignored: str = ""
    """Why there is no message, for the log."""


def parse(
    data: Mapping[str, Any], name: str, bot: TelegramBot, settings: Settings, now: float
) -> Update:
    """Read an update.

    Args:
        name: Name of the bot in the settings: its user name.
        now: Unix seconds.
    """
    update = dict(data)
    number = number_at(update, "update_id")
    if number is None:
        return Update(ignored="no-update-id")
    reader = _Reader(name, bot, settings, number, now)
    if callback := object_at(update, "callback_query"):
        return reader.callback(callback)
    if message := object_at(update, "message"):
        return reader.message(message)
    if message := object_at(update, "edited_message"):
        if object_at(message, "location"):
            # Only a shared live location changes its place: this is a step on somebody's way, and
            # one comes every few seconds for hours.
            return Update(ignored="live-location")
        return replace(reader.message(message), edited=True)
    if member := object_at(update, "my_chat_member"):
        return reader.member(member)
    return Update(ignored="other-update")


@dataclass(frozen=True)
class _Reader:
    name: str
    bot: TelegramBot
    settings: Settings
    number: int
    now: float

    def callback(self, query: dict[str, Any]) -> Update:
        message, sender = object_at(query, "message"), object_at(query, "from")
        update = Update(callback=id_at(query, "id"), chat=_id(object_at(message, "chat")))
        tap = id_at(query, "data")
        if not update.chat or not tap or not _id(sender):
            return replace(update, ignored="empty-callback")
        inbound = self._inbound(object_at(message, "chat"), sender, f"callback:{update.callback}")
        return replace(update, inbound=replace(inbound, tap=tap[:64]))

    def message(self, message: dict[str, Any]) -> Update:
        chat, sender = object_at(message, "chat"), object_at(message, "from")
        update = Update(chat=_id(chat))
        if moved := _id(message, "migrate_to_chat_id"):
            return replace(update, moved_to=moved)
        if not update.chat or not _id(sender) or sender.get("is_bot") is True:
            return replace(update, ignored="not-from-a-person")
        text, in_group = self._text(message), _kind(chat) in GROUPS
        if not in_group and _kind(chat) != "private":
            return replace(update, ignored="not-a-chat")
        command = _COMMAND.match(text)
        if command and command[2] and command[2].casefold() != self.name.casefold():
            return replace(update, ignored="for-another-bot")
        if in_group:
            if not command and not self._addressed(message, text):
                return replace(update, ignored="not-addressed")
            text = self._without_mention(text)
        inbound = self._inbound(chat, sender, f"message:{id_at(message, 'message_id')}")
        file = self._file(message, inbound.id)
        text = text if text or file else self._sign(message)
        if not text and not file:
            return replace(update, ignored="nothing-said")
        inbound = replace(inbound, text=text, attachments=(file,) if file else ())
        sent = number_at(message, "date") or 0
        if 0 < sent <= self.now:
            inbound = replace(inbound, sent_at=float(sent))
        if command and command[1].casefold() in ("start", "help"):
            inbound = replace(inbound, kind="start", text="", attachments=())
        return replace(
            update,
            inbound=inbound,
            command=command[1].casefold() if command else "",
            reply_to=int(number_at(message, "message_id") or 0) if in_group else 0,
            thread=int(number_at(message, "message_thread_id") or 0)
            if message.get("is_topic_message") is True
            else 0,
        )

    def member(self, change: dict[str, Any]) -> Update:
        chat = object_at(change, "chat")
        update = Update(chat=_id(chat))
        status = object_at(change, "new_chat_member").get("status")
        if _kind(chat) != "private" or status not in ("kicked", "member"):
            return replace(update, ignored="membership")
        return replace(update, blocked=status == "kicked")

    def _inbound(self, chat: dict[str, Any], sender: dict[str, Any], what: str) -> Inbound:
        user = vendor_user(_id(chat), _id(sender), _kind(chat) in GROUPS)
        conversation = conversation_id(NAME, self.name, user)
        names = (text_at(sender, part, NAME_CHARS) for part in ("first_name", "last_name"))
        locale = id_at(sender, "language_code")
        return Inbound(
            # Update numbers start anew after a week of silence: the message's own id joins them.
            id=message_id(conversation, f"{self.number}:{what}"),
            conversation=conversation,
            channel=NAME,
            account=self.name,
            vendor_user=user,
            sent_at=self.now,
            received_at=self.now,
            locale=locale if _LOCALE.fullmatch(locale) else "",
            name=" ".join(filter(None, names)),
            position=max(0, self.number),
        )

    def _text(self, message: dict[str, Any]) -> str:
        most = self.settings.max_text_chars
        for field in ("text", "caption"):
            if text := text_at(message, field, most):
                return text
        if emoji := text_at(object_at(message, "sticker"), "emoji", 16):
            return emoji
        if position := place(object_at(message, "location"), "latitude", "longitude"):
            return position
        return ""

    @staticmethod
    def _sign(message: dict[str, Any]) -> str:
        return next((sign for kind, sign in SHOWN_FILES.items() if message.get(kind)), "")

    def _file(self, message: dict[str, Any], id_: str) -> Attachment | None:
        """The file of a message, of which there is one at most; albums are several messages."""
        if sizes := objects_at(message, "photo"):
            best = max(sizes, key=lambda s: number_at(s, "width") or 0)
            return self._attachment(best, id_, "image", "image/jpeg")
        for field, (kind, type_) in FETCHED.items():
            if file := object_at(message, field):
                return self._attachment(file, id_, kind, type_)
        return None

    @staticmethod
    def _attachment(file: dict[str, Any], id_: str, kind: str, type_: str) -> Attachment | None:
        source = id_at(file, "file_id")
        if not source:
            return None
        claimed = plain(text_at(file, "mime_type", 100)) or type_
        name = text_at(file, "file_name", NAME_CHARS)
        return Attachment(
            file_id(id_, 0),
            kind_of(claimed) if kind == "file" else kind,
            clean(name, kind) if name else with_ending(kind, endings_of(claimed)),
            claimed,
            max(0, number_at(file, "file_size") or 0),
            FETCHING,
            source=source,
        )

    def _addressed(self, message: dict[str, Any], text: str) -> bool:
        """In a group we answer to our name and to replies, and to nothing else."""
        answered = object_at(object_at(message, "reply_to_message"), "from")
        if number_at(answered, "id") == self.bot.id:
            return True
        entities = objects_at(message, "entities") + objects_at(message, "caption_entities")
        if any(number_at(object_at(e, "user"), "id") == self.bot.id for e in entities):
            return True
        return bool(self._mention().search(text))

    def _without_mention(self, text: str) -> str:
        return self._mention().sub(" ", text).strip()

    def _mention(self) -> re.Pattern[str]:
        return re.compile(rf"(?<![\w@])@{re.escape(self.name)}(?!\w)", re.IGNORECASE | re.ASCII)


def _id(data: dict[str, Any], name: str = "id") -> str:
    """Return the id of a chat or user, a number of up to 52 bits; empty without one."""
    number = number_at(data, name)
    return "" if number is None else str(number)


def _kind(chat: dict[str, Any]) -> str:
    return id_at(chat, "type")


def vendor_user(chat: str, sender: str, in_group: bool) -> str:
    """Name whom a conversation is with: the chat, and in a group the person in it."""
    return f"{chat}:{sender}" if in_group else chat


def chat_of(user: str) -> tuple[str, bool]:
    """Undo `vendor_user`: the chat, and whether it is a group."""
    chat, sign, _ = user.partition(":")
    return chat, bool(sign)


def shape_file(attachment: Attachment) -> tuple[str, str]:
    """Choose how a file is sent: the method, and the field its bytes go to."""
    if attachment.type in PHOTOS and LIMITS.rule("photo").value >= attachment.size:
        return "sendPhoto", "photo"
    return SENT_AS.get(attachment.type, AS_DOCUMENT)


def shape(part: Part, chat: str, *, keyboard: str) -> dict[str, Any]:
    """Shape a part as parameters of `sendMessage`; plain text, so nothing in it is markup.

    Args:
        keyboard: `inline` or `reply` (see the setting TELEGRAM_KEYBOARD).
    """
    body: dict[str, Any] = {
        "chat_id": int(chat),
        "text": part.text,
        "link_preview_options": {"is_disabled": True},
    }
    if not part.buttons:
        return body
    inline = keyboard == "inline"
    rows: list[list[dict[str, str]]] = []
    room = 0
    for button in part.buttons:
        wide = units(button.title) > _WIDE
        if wide or not room:
            rows.append([])
            room = 1 if wide else 2
        key = {"text": button.title}
        rows[-1].append({**key, "callback_data": button.id} if inline else key)
        room -= 1
    if inline:
        body["reply_markup"] = {"inline_keyboard": rows}
    else:
        body["reply_markup"] = {
            "keyboard": rows,
            "resize_keyboard": True,
            "one_time_keyboard": True,
        }
    return body
