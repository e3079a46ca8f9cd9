"""Outcomes of labelled first messages, in rows and in totals by language, script and kind.

A gold label is an entry or a dialogue intent; `a|b` is either, `a+b` both.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from bot.dialogue.first_message import FirstMessage, FirstMessages

OUTCOMES = ("right", "half", "offered", "asked", "wrong", "handoff")
"""`right`; `half`: one of two; `offered`: asked back with it among the choices; `asked`: asked back
without it; `wrong`: another answer as if known; `handoff`: handed off without cause."""

ASK_HUMAN, ANGRY, OUT_OF_SCOPE = "ask_human", "angry", "out_of_scope"
_SMALL = frozenset({"greet", "thanks", "goodbye", "smalltalk"})
_TALK = _SMALL | {"affirm", "deny", "cancel", OUT_OF_SCOPE}
"""Dialogue intents that give no entry."""


@dataclass(frozen=True)
class Labelled:
    """One row of a measuring set."""

    text: str
    gold: str
    language: str = ""
    script: str = ""
    kind: str = ""
    mood: str = ""


def outcome_of(message: FirstMessage, gold: str, mood: str = "") -> str:
    """Judge one message; `mood` is `angry` where a handoff is right as well."""
    wanted = gold.split("|")
    if message.kind == "handoff":
        if ASK_HUMAN in wanted or ANGRY in wanted or mood == "angry":
            return "right"
        return _given(message, wanted) or "handoff"
    if message.kind == "clarify":
        if OUT_OF_SCOPE in wanted:
            return "right"
        offered = any(part in message.offered for want in wanted for part in want.split("+"))
        return "offered" if offered else "asked"
    return _given(message, wanted) or "wrong"


def _given(message: FirstMessage, wanted: list[str]) -> str:
    """Return `right` or `half` for what is answered; empty when neither."""
    entries, best = set(message.entries), ""
    for want in wanted:
        if want == OUT_OF_SCOPE:
            if not entries and message.choice.intent in _TALK:
                return "right"
        elif want in _SMALL:
            if not entries and message.choice.intent == want:
                return "right"
        elif "+" in want:
            given = len(entries & set(want.split("+")))
            if given == len(want.split("+")):
                return "right"
            best = "half" if given else best
        elif want in entries:
            return "right"
    return best


def judge(rows: Iterable[Labelled], messages: FirstMessages) -> dict[str, Any]:
    """Choose for every row.

    Returns:
        `rows`, each with what the customer gets and its `outcome`, and shares of the outcomes:
        `all`, `by_language`, `by_script`, `by_kind`.
    """
    judged = []
    for row in rows:
        message = messages.choose(row.text)
        judged.append(
            {
                "text": row.text,
                "lang": row.language,
                "script": row.script,
                "gold": row.gold,
                "label": row.kind,
                **message.to_dict(),
                "confidence": round(message.reading.prediction.confidence, 3),
                "negative": round(message.reading.sentiment.negative, 3),
                "outcome": outcome_of(message, row.gold, row.mood),
            }
        )
    return {
        "all": _shares(judged),
        "by_language": _grouped(judged, lambda row: f"{row['lang']}-{row['script']}".strip("-")),
        "by_script": _grouped(judged, lambda row: row["script"]),
        "by_kind": _grouped(judged, lambda row: row["label"]),
        "rows": judged,
    }


def _grouped(rows: list[dict[str, Any]], key: Any) -> dict[str, Mapping[str, float]]:
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return {name: _shares(groups[name]) for name in sorted(groups) if name}


def _shares(rows: list[dict[str, Any]]) -> dict[str, float]:
    counts = Counter(row["outcome"] for row in rows)
    return {"n": len(rows)} | {
        outcome: round(counts[outcome] / max(len(rows), 1), 4) for outcome in OUTCOMES
    }
