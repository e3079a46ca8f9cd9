"""Steps of a macro: read from its form, and put into words."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from bot.desk.conversation import labels, moves, notes, present
from bot.desk.texts import Texts
from bot.errors import BadRequest
from bot.handoff.service import MAX_REPLY_CHARS

ENDS = ("return", "snooze", "resolve")
"""What may come last: the conversation leaves the agent's list."""

_PLACE = re.compile(r"\{(\w+)\}")

Step = Mapping[str, Any]
"""`do` and what it needs: `note` and `reply` have `text`, `label` has `label`, `priority` has
`priority`, `resolve` has `topic` and `outcome`; `snooze` (until a reply) and `return` have nothing.
"""


def parse(fields: Mapping[str, str], topics: Collection[str]) -> tuple[Step, ...]:
    """Read the form of a macro; empty fields do nothing.

    Raises:
        BadRequest: A field cannot be used, or the macro would do nothing.
    """
    steps: list[Step] = []
    if note := notes.clean(fields.get("note", "")):
        steps.append({"do": "note", "text": note})
    if label := fields.get("label", "").strip():
        steps.append({"do": "label", "label": labels.clean(label)})
    if priority := fields.get("priority", ""):
        steps.append({"do": "priority", "priority": moves.parse_priority(priority)})
    if reply := fields.get("reply", "").replace("\r\n", "\n").strip():
        if len(reply) > MAX_REPLY_CHARS:
            raise BadRequest("text-length", "The text is empty or too long.")
        steps.append({"do": "reply", "text": reply})
    end = fields.get("end", "")
    if end == "resolve":
        topic, outcome = fields.get("topic", ""), fields.get("outcome", "")
        if topic not in topics:
            raise BadRequest("bad-topic", "Choose what the conversation was about.")
        if outcome not in present.OUTCOMES:
            raise BadRequest("bad-outcome", "Choose how it ended.")
        steps.append({"do": "resolve", "topic": topic, "outcome": outcome})
    elif end in ENDS:
        steps.append({"do": end})
    if not steps:
        raise BadRequest("empty-macro", "Choose something to do.")
    return tuple(steps)


def filled(text: str, **names: str) -> str:
    """Put names in place of `{customer}`, `{agent}` and `{business}`; other braces stay."""
    return _PLACE.sub(lambda found: names.get(found[1], found[0]), text)


def in_words(texts: Texts, step: Step) -> str:
    """One step in words."""
    match step["do"]:
        case "note" | "reply":
            return texts.say(f"macro.does_{step['do']}", text=present.snippet(step["text"])[:80])
        case "label":
            return texts.say("macro.does_label", label=step["label"])
        case "priority":
            return texts.say(
                "macro.does_priority", priority=texts.word("priority", str(step["priority"]))
            )
        case "resolve":
            about = present.topic(texts, step["topic"])
            outcome = texts.word("outcome", step["outcome"])
            return texts.say("macro.does_resolve", words=f"{about} · {outcome}")
    return texts.say(f"macro.does_{step['do']}")
