"""Loader of `data/faq/*.yml`; each fault is reported with file, entry and fix."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import yaml

from bot.content import yaml_files
from bot.content.models import Content, Entry, Reply
from bot.content.validate import check_content, check_entry, check_lines
from bot.errors import ContentError

_TEXT_TAGS = frozenset({"tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:bool"})
_SAFE: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_SAFE):  # type: ignore[misc]
    """YAML loader that keeps "No", `no` and impossible dates as texts for the validator.

    It refuses a key that is in a mapping twice.
    """

    yaml_implicit_resolvers: ClassVar = {
        letter: [resolver for resolver in resolvers if resolver[0] not in _TEXT_TAGS]
        for letter, resolvers in _SAFE.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = set[str]()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in keys:
                raise yaml.constructor.ConstructorError(
                    None,
                    None,
                    f"{key.value!r} stands here a second time; keep one of them",
                    key.start_mark,
                )
            keys.add(str(key.value))
        return dict(super().construct_mapping(node, deep))


def faq_files(folder: Path) -> list[Path]:
    """List the FAQ files of a folder."""
    return sorted([*folder.glob("*.yml"), *folder.glob("*.yaml")])


def load_folder(folder: Path, languages: tuple[str, ...]) -> Content:
    """Load and validate every FAQ file of a folder.

    Args:
        languages: Languages every entry must answer in; the first is the default.

    Raises:
        ContentError: With one line per fault of all files.
    """
    files = faq_files(folder)
    if not files:
        raise ContentError(
            [f"{folder}: no *.yml file; put the FAQ entries there (docs/content.md)"]
        )
    problems: list[str] = []
    entries: list[tuple[str, Entry]] = []
    for path in files:
        name = str(path)
        try:
            text = yaml_files.read_text(path)
        except ContentError as error:
            problems += error.problems
            continue
        except (OSError, UnicodeDecodeError) as error:
            problems.append(f"{name}: cannot be read ({error}); save it as UTF-8")
            continue
        problems += check_lines(name, text)
        try:
            document = yaml_files.load(text, _Loader)
        except yaml.YAMLError as error:
            problems.append(f"{name}: not valid YAML: {_locate(error)}")
            continue
        if not isinstance(document, Mapping) or not isinstance(document.get("entries"), list):
            problems.append(f"{name}: write `topic: {path.stem}` and a list under `entries:`")
            continue
        topic = str(document.get("topic") or path.stem)
        for index, raw in enumerate(document["entries"], 1):
            faults = check_entry(name, index, raw, languages)
            problems += faults
            if not faults:
                entries.append((name, _entry(raw, topic)))
    problems += check_content(entries)
    if problems:
        raise ContentError(problems)
    return Content(tuple(entry for _, entry in entries))


def _entry(raw: Mapping[str, Any], topic: str) -> Entry:
    replies = []
    for item in raw.get("quick_replies") or ():
        if isinstance(item, Mapping):
            replies.append(Reply(str(item.get("entry")), dict(item.get("title") or {})))
        else:
            replies.append(Reply(str(item)))
    return Entry(
        id=raw["id"],
        topic=topic,
        subtopic=str(raw.get("subtopic") or ""),
        title=dict(raw["title"]),
        examples={k: tuple(str(x).strip() for x in v) for k, v in raw["examples"].items()},
        answers={k: str(v).strip() for k, v in raw["answers"].items()},
        channels={
            c: {k: str(v).strip() for k, v in by.items()}
            for c, by in (raw.get("channels") or {}).items()
        },
        quick_replies=tuple(replies),
        policy=str(raw.get("policy") or ""),
        valid_from=str(raw.get("valid_from") or ""),
        valid_until=str(raw.get("valid_until") or ""),
        owner=str(raw.get("owner") or ""),
    )


def _locate(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error)
    return f"line {mark.line + 1}, column {mark.column + 1}: {problem}" if mark else problem
