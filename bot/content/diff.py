"""Difference between two versions: entries added, removed or changed, by part and language."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bot.content.models import Content, Entry

COLUMNS = ("change", "entry", "part", "language", "detail")
_BY_LANGUAGE = ("title", "answers")
_WHOLE = ("topic", "subtopic", "policy", "valid_from", "valid_until", "owner")
_SHOWN_CHARS = 60


@dataclass(frozen=True)
class Change:
    """One line of a comparison."""

    entry: str
    change: str
    """`added`, `removed` or `changed`: the part, or the whole entry when `part` is empty."""
    part: str = ""
    """Key of the FAQ file, such as `answers` or `channels.facebook`."""
    language: str = ""
    before: str = ""
    after: str = ""

    def to_row(self) -> dict[str, Any]:
        """Shape for a table: the columns of `COLUMNS`, and both texts for JSON."""
        detail = f"{_short(self.before)} → {_short(self.after)}" if self.part else ""
        return {
            "change": self.change,
            "entry": self.entry,
            "part": self.part,
            "language": self.language,
            "detail": detail,
            "before": self.before,
            "after": self.after,
        }


def compare(before: Content, after: Content) -> list[Change]:
    """List the changes from one version to another, in the order of entry ids."""
    changes: list[Change] = []
    for name in sorted(before.by_id.keys() | after.by_id.keys()):
        old, new = before.by_id.get(name), after.by_id.get(name)
        if old is None:
            changes.append(Change(name, "added"))
        elif new is None:
            changes.append(Change(name, "removed"))
        else:
            changes += _parts(old, new)
    return changes


def _parts(old: Entry, new: Entry) -> Iterator[Change]:
    for part in _BY_LANGUAGE:
        yield from _texts(old.id, part, getattr(old, part), getattr(new, part))
    for channel in sorted(old.channels.keys() | new.channels.keys()):
        old_answers, new_answers = old.channels.get(channel, {}), new.channels.get(channel, {})
        yield from _texts(old.id, f"channels.{channel}", old_answers, new_answers)
    yield from _texts(
        old.id,
        "examples",
        {language: "\n".join(texts) for language, texts in old.examples.items()},
        {language: "\n".join(texts) for language, texts in new.examples.items()},
    )
    yield from _texts(old.id, "quick_replies", _replies(old), _replies(new))
    for part in _WHOLE:
        yield from _texts(old.id, part, {"": getattr(old, part)}, {"": getattr(new, part)})


def _texts(
    entry: str, part: str, old: Mapping[str, str], new: Mapping[str, str]
) -> Iterator[Change]:
    for language in sorted(old.keys() | new.keys()):
        before, after = old.get(language, ""), new.get(language, "")
        if before != after:
            kind = "changed" if before and after else "added" if after else "removed"
            yield Change(entry, kind, part, language, before, after)


def _replies(entry: Entry) -> Mapping[str, str]:
    """Return target ids under no language, and own button texts by language."""
    text_by_language = {"": " ".join(reply.target for reply in entry.quick_replies)}
    for language in sorted({code for reply in entry.quick_replies for code in reply.title}):
        titles = [
            f"{r.target}: {r.title[language]}" for r in entry.quick_replies if language in r.title
        ]
        text_by_language[language] = "\n".join(titles)
    return text_by_language


def _short(text: str) -> str:
    line = " ".join(text.split())
    return f"{line[: _SHOWN_CHARS - 1]}…" if len(line) > _SHOWN_CHARS else line or "–"
