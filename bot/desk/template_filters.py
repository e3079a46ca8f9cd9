"""Template filters: how each stored value is written for the reader."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jinja2
from jinja2.runtime import Context

from bot.desk.conversation import attached, present, reasons
from bot.desk.conversation.event_lines import event_line
from bot.desk.conversation.readings import mood_line, reading_lines
from bot.desk.texts import Texts


def _read(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make a filter that takes the reader's texts from the template's context."""

    @jinja2.pass_context
    def filtered(context: Context, *args: Any) -> Any:
        return function(context["texts"], *args)

    return filtered


FILTERS = {
    "initials": present.initials,
    "hue": present.hue,
    "snippet": present.snippet,
    "iso": present.iso,
    "mood": present.mood,
    "mood_line": mood_line,
    "customer_name": _read(present.customer_name),
    "clock": _read(present.clock),
    "duration": _read(present.duration),
    "percent": _read(present.percent),
    "language": _read(present.language),
    "topic": _read(present.topic),
    "reading_lines": _read(reading_lines),
    "event_line": _read(event_line),
    "audit_line": _read(present.audit_line),
    "word": _read(present.word),
    "reason": _read(reasons.sentence),
    "zone": present.zone,
    "zone_name": _read(present.zone_name),
    "number": _read(Texts.number),
    "file_size": _read(attached.size),
    "file_sign": attached.sign,
    "is_picture": attached.is_picture,
}
