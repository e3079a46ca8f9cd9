"""Display of files in messages: size, icon, picture or not."""

from __future__ import annotations

from bot.desk.texts import Texts
from bot.files.content import INLINE
from bot.streams.attachments import ICONS, Attachment

_KB = 1024


def size(texts: Texts, bytes_: int) -> str:
    """`12 KB` or `1.4 MB`, at least one kilobyte."""
    if bytes_ < _KB * _KB:
        return texts.say("file.kb", size=texts.number(max(1, round(bytes_ / _KB))))
    return texts.say("file.mb", size=texts.number(bytes_ / _KB / _KB, 1))


def sign(file: Attachment) -> str:
    """A sign for its kind."""
    return ICONS[file.kind]


def is_picture(file: Attachment) -> bool:
    """Tell whether the page shows it in place."""
    return file.type in INLINE
