"""Validator of FAQ files; each fault names file, entry and fix (docs/content.md)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from bot.content import placeholders
from bot.content.models import PERSON, PERSON_WHEN_NEGATIVE, Entry
from bot.language.normalise import fold

ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Z][a-z]{3})?(-[a-z]{2})?")
# Rasa takes any file with such a line, even inside a text, for training data of its own.
RASA_LINE = re.compile(r"^[ \t]{0,16}(nlu|responses|stories|rules)[ \t]{0,16}:", re.MULTILINE)

MAX_TITLE_CHARS = 20
"""Messenger's limit for a quick reply title."""
MAX_ANSWER_CHARS = 2000
"""Messenger's limit for a text, the smallest of the channels."""
MAX_EXAMPLE_CHARS = 300
MAX_ID_CHARS = 64
MAX_QUICK_REPLIES = 11
"""Messenger shows 13; two are kept for "did that help?"."""
LEAST_EXAMPLES = 3
_KEYS = frozenset(
    {
        "id",
        "subtopic",
        "title",
        "examples",
        "answers",
        "channels",
        "quick_replies",
        "policy",
        "valid_from",
        "valid_until",
        "owner",
    }
)


def check_lines(file: str, text: str) -> list[str]:
    """List lines that Rasa would read as its own training data."""
    problems = []
    for match in RASA_LINE.finditer(text):
        line = text.count("\n", 0, match.end()) + 1
        problems.append(
            f"{file}, line {line}: a line may not begin with `{match[1]}:`, "
            "Rasa would train on it; put another word first"
        )
    return problems


def check_entry(file: str, index: int, raw: Any, languages: Sequence[str]) -> list[str]:
    """Check one entry of a file; return one line per fault."""
    if not isinstance(raw, Mapping):
        return [f"{file}, entry {index}: must be a mapping that starts with `- id: …`"]
    identifier = raw.get("id")
    if not isinstance(identifier, str) or not ID.fullmatch(identifier):
        return [
            f"{file}, entry {index}: id {identifier!r} must be lower-case words joined by "
            "hyphens, such as order-status"
        ]
    where = f"{file}, entry {identifier}"
    if len(identifier) > MAX_ID_CHARS:
        return [f"{where}: the id is longer than {MAX_ID_CHARS} characters; shorten it"]
    problems = [
        f"{where}: unknown key {key!r}; known are {', '.join(sorted(_KEYS))}"
        for key in raw
        if key not in _KEYS
    ]
    problems += _check_texts(where, "title", raw.get("title"), languages, MAX_TITLE_CHARS)
    problems += _check_texts(where, "answers", raw.get("answers"), languages, MAX_ANSWER_CHARS)
    problems += _check_placeholders(where, "answers", raw.get("answers"))
    problems += _check_examples(where, raw.get("examples"), languages[0])
    problems += _check_channels(where, raw.get("channels"))
    problems += _check_replies(where, raw.get("quick_replies"))
    if raw.get("policy") not in (None, "", PERSON, PERSON_WHEN_NEGATIVE):
        problems.append(
            f"{where}: policy {raw['policy']!r} is unknown; write `person`, "
            "`person-when-negative`, or leave it out"
        )
    return problems + _check_dates(where, raw)


def check_content(entries: Sequence[tuple[str, Entry]]) -> list[str]:
    """Check across entries: repeated ids, repeated examples, quick replies without entry."""
    problems: list[str] = []
    files: dict[str, str] = {}
    examples: dict[str, str] = {}
    for file, entry in entries:
        if entry.id in files:
            problems.append(
                f"{file}, entry {entry.id}: the id is taken in {files[entry.id]}; choose another"
            )
        files[entry.id] = file
        for texts in entry.examples.values():
            for text in texts:
                key = fold(text).strip(" ?!.…")
                if key in examples and examples[key] != entry.id:
                    problems.append(
                        f"{file}, entry {entry.id}: example {text!r} stands in "
                        f"{examples[key]} too; keep it where it belongs"
                    )
                examples.setdefault(key, entry.id)
    for file, entry in entries:
        for reply in entry.quick_replies:
            if reply.target != PERSON and reply.target not in files:
                problems.append(
                    f"{file}, entry {entry.id}: quick reply {reply.target!r} is no entry; "
                    "write an id that exists, or `person`"
                )
            if reply.target == entry.id:
                problems.append(
                    f"{file}, entry {entry.id}: a quick reply leads to itself; take it out"
                )
    return problems


def _check_texts(
    where: str, key: str, texts: Any, languages: Sequence[str], limit: int
) -> list[str]:
    if not isinstance(texts, Mapping) or not texts:
        return [f"{where}: `{key}` must give a text for each language, such as `en: …`"]
    problems = []
    for language in languages:
        if not str(texts.get(language) or "").strip():
            default = " (the default)" if language == languages[0] else ""
            problems.append(f"{where}: no `{key}` in {language!r}{default}; add it")
    for language, text in texts.items():
        if not LANGUAGE.fullmatch(str(language)):
            problems.append(f"{where}: {language!r} under `{key}` is no language code such as hi")
        if not isinstance(text, str):
            problems.append(f"{where}: `{key}` in {language!r} is not a text; put it in quotes")
        elif len(text) > limit:
            problems.append(
                f"{where}: `{key}` in {language!r} has {len(text)} characters, "
                f"at most {limit} fit; shorten it"
            )
        elif any(unicodedata.category(c) == "Cs" or (c < " " and c not in "\n\t") for c in text):
            problems.append(f"{where}: `{key}` in {language!r} has control characters; remove them")
    return problems


def _check_channels(where: str, channels: Any) -> list[str]:
    if channels is None:
        return []
    if not isinstance(channels, Mapping):
        return [f"{where}: `channels` must name channels, each with answers by language"]
    problems = []
    for channel, texts in channels.items():
        problems += _check_texts(where, f"channels.{channel}", texts, (), MAX_ANSWER_CHARS)
        problems += _check_placeholders(where, f"channels.{channel}", texts)
    return problems


def _check_placeholders(where: str, key: str, texts: Any) -> list[str]:
    if not isinstance(texts, Mapping):
        return []
    return [
        f"{where}: `{key}` in {language!r}: {fault}"
        for language, text in texts.items()
        if isinstance(text, str)
        for fault in placeholders.faults(text)
    ]


def _check_dates(where: str, raw: Mapping[str, Any]) -> list[str]:
    problems = []
    dates: list[date] = []
    for key in ("valid_from", "valid_until"):
        if raw.get(key):
            try:
                dates.append(date.fromisoformat(str(raw[key])))
            except ValueError:
                problems.append(f"{where}: {key} {raw[key]!r} is no date; write YYYY-MM-DD")
    if len(dates) == 2 and dates[0] > dates[1]:
        problems.append(f"{where}: it ends before it begins; swap valid_from and valid_until")
    return problems


def _check_examples(where: str, examples: Any, default: str) -> list[str]:
    if not isinstance(examples, Mapping) or not examples:
        return [f"{where}: `examples` must list questions by language"]
    problems = []
    count = 0
    for language, texts in examples.items():
        if not LANGUAGE.fullmatch(str(language)):
            problems.append(
                f"{where}: {language!r} under `examples` is no language code such as hi"
            )
        if not isinstance(texts, list) or not all(isinstance(t, str) and t.strip() for t in texts):
            problems.append(
                f"{where}: `examples` in {language!r} must be a list of texts; "
                "put those with : # ? or - in quotes"
            )
            continue
        count += len(texts)
        problems += [
            f"{where}: example {text[:40]!r}… is longer than {MAX_EXAMPLE_CHARS} characters"
            for text in texts
            if len(text) > MAX_EXAMPLE_CHARS
        ]
    if count < LEAST_EXAMPLES and not problems:
        problems.append(f"{where}: only {count} examples; write at least {LEAST_EXAMPLES}")
    return problems


def _check_replies(where: str, replies: Any) -> list[str]:
    if replies is None:
        return []
    if not isinstance(replies, list):
        return [f"{where}: `quick_replies` must be a list of entry ids"]
    problems = []
    if len(replies) > MAX_QUICK_REPLIES:
        problems.append(f"{where}: at most {MAX_QUICK_REPLIES} quick replies fit; drop some")
    for item in replies:
        if isinstance(item, Mapping):
            problems += _check_texts(
                where, "quick_replies.title", item.get("title"), (), MAX_TITLE_CHARS
            )
            if not isinstance(item.get("entry"), str):
                problems.append(f"{where}: a quick reply with a title needs `entry: <id>`")
        elif not isinstance(item, str):
            problems.append(f"{where}: quick reply {item!r} must be an entry id or `person`")
    return problems
