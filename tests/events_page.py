"""docs/events.md, written from the dataclasses in bot/events.py.

`uv run python tests/events_page.py` writes the page again.
"""

from __future__ import annotations

import ast
import inspect
import itertools
from dataclasses import fields
from pathlib import Path

from bot import events
from bot.events import KINDS, Event, EventData

PAGE = Path(__file__).parents[1] / "docs" / "events.md"
KNOWN_AS = {
    "str": "text",
    "int": "whole number",
    "float": "number",
    "bool": "true or false",
    "Sequence[ShownReply]": "list",
    "Mapping[str, float]": "object",
    "Mapping[str, Any]": "object",
}
"""Python's type → the word on the page."""
INTRODUCTION = """\
# Events

What happened, one row each in the table `events`; [reports](metrics.md) are computed from these.
Events carry ids and numbers, never the customer's words.
They are stored in one of two ways: through the record stream (the events of a turn with its \
commit, those of a delivery by the sender or the channel), or in the same SQL transaction as the \
change that they tell of, such as a change of state, a rating or a publish.

Do not edit this page: `uv run python tests/events_page.py` writes it from the dataclasses in \
`bot/events.py`, and a test compares the two.
How to add a type: [extending](extending.md#add-an-event).
"""


def page() -> str:
    """The whole page."""
    envelope = [
        f"| `{item.name}` | {KNOWN_AS[str(item.type)]} | {_meanings(Event)[item.name]} |"
        for item in fields(Event)
    ]
    return "\n".join(
        [
            INTRODUCTION,
            "## Columns",
            "",
            "Every event has these, and `stored_at`, the time the row reached SQL.",
            "",
            "| column | type | meaning |",
            "|---|---|---|",
            *envelope,
            "",
            "## Types",
            "",
            "The keys of `data`, by type; a key in brackets is left out where it says nothing.",
            *itertools.chain.from_iterable(_section(kind) for kind in KINDS.values()),
            "",
        ]
    )


def _section(kind: type[EventData]) -> list[str]:
    docstring = " ".join(inspect.cleandoc(kind.__doc__ or "").split())
    lines = ["", f"### `{kind.TYPE}`", "", docstring]
    if fields(kind):
        lines += ["", "| key | type | meaning |", "|---|---|---|"]
    meanings = _meanings(kind)
    for item in fields(kind):
        key = f"`{item.name.rstrip('_')}`"
        shown = f"({key})" if key.strip("`") in events.optional(kind.TYPE) else key
        type_ = str(item.type).removesuffix(" | None")
        lines.append(f"| {shown} | {KNOWN_AS[type_]} | {meanings[item.name]} |")
    return lines


def _meanings(kind: type) -> dict[str, str]:
    """Field → its docstring, own or inherited."""
    found: dict[str, str] = {}
    tree = ast.parse(inspect.getsource(events))
    classes = {node.name: node.body for node in tree.body if isinstance(node, ast.ClassDef)}
    for owner in reversed(kind.__mro__):
        for item, text in itertools.pairwise(classes.get(owner.__name__, ())):
            if isinstance(item, ast.AnnAssign) and isinstance(text, ast.Expr):
                assert isinstance(item.target, ast.Name)
                found[item.target.id] = " ".join(ast.literal_eval(text.value).split())
    return found


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
