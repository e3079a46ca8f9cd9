"""Export of a version into FAQ files, one per topic, that load to the same content."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from bot.content.load import faq_files
from bot.content.models import Content, Entry, Reply
from bot.errors import ContentError


def write_folder(content: Content, folder: Path) -> int:
    """Write `<topic>.yml` files; return how many.

    Raises:
        ContentError: The folder has files of other topics: it would not equal the version, and
            publishing it would bring their entries back. Nothing is written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    topics: dict[str, list[Entry]] = defaultdict(list)
    for entry in content.entries:
        topics[entry.topic].append(entry)
    other_topics = sorted(
        p for p in faq_files(folder) if p.name not in {f"{t}.yml" for t in topics}
    )
    if other_topics:
        raise ContentError(
            [
                f"{path}: of a topic the version does not have; move it away, or export into an "
                "empty folder"
                for path in other_topics
            ]
        )
    for topic, entries in topics.items():
        write_topic(topic, entries, folder)
    return len(topics)


def write_topic(topic: str, entries: Iterable[Entry], folder: Path) -> None:
    """Write the file of one topic, completely or not at all."""
    document = {"topic": topic, "entries": [_shape(entry) for entry in entries]}
    text = yaml.safe_dump(document, allow_unicode=True, sort_keys=False, width=1000)
    temporary = folder / f".{topic}.yml.new"
    temporary.write_text(text, "utf-8")
    temporary.replace(folder / f"{topic}.yml")


def write_nlu(content: Content, folder: Path) -> int:
    """Write the examples as Rasa NLU files `<topic>.yml`, intents `faq/<id>`; count files.

    `rasa test nlu` reads no importers, so it gets these files. The validator refuses examples that
    Rasa would read as its own markup, so none has to be escaped.
    https://rasa.com/docs/rasa/training-data-format#nlu-training-data
    """
    folder.mkdir(parents=True, exist_ok=True)
    topics: dict[str, list[dict[str, str]]] = defaultdict(list)
    for entry in content.entries:
        lines = [f"- {text}\n" for texts in entry.examples.values() for text in texts]
        topics[entry.topic].append({"intent": f"faq/{entry.id}", "examples": "".join(lines)})
    for topic, intents in topics.items():
        document = {"version": "3.1", "nlu": intents}
        text = yaml.safe_dump(document, allow_unicode=True, sort_keys=False, width=1000)
        (folder / f"{topic}.yml").write_text(text, "utf-8")
    return len(topics)


def _shape(entry: Entry) -> dict[str, Any]:
    shaped: dict[str, Any] = {
        "id": entry.id,
        "subtopic": entry.subtopic,
        "title": dict(entry.title),
        "examples": {language: list(texts) for language, texts in entry.examples.items()},
        "answers": dict(entry.answers),
        "channels": {channel: dict(texts) for channel, texts in entry.channels.items()},
        "quick_replies": [_reply(reply) for reply in entry.quick_replies],
        "policy": entry.policy,
        "valid_from": entry.valid_from,
        "valid_until": entry.valid_until,
        "owner": entry.owner,
    }
    return {key: value for key, value in shaped.items() if value not in ("", {}, [])}


def _reply(reply: Reply) -> Any:
    return {"entry": reply.target, "title": dict(reply.title)} if reply.title else reply.target
