"""Examples the intent index is fitted to: those of the content, and those of dialogue."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from bot.content import yaml_files
from bot.content.models import Content
from bot.errors import ConfigurationError
from bot.understanding.intents.prediction import FAQ_PREFIX, Example


def faq_examples(content: Content) -> list[Example]:
    """List all example questions of a version, labelled `faq/<id>`."""
    return [
        Example(text, f"{FAQ_PREFIX}{entry.id}", language)
        for entry in content.entries
        for language, texts in entry.examples.items()
        for text in texts
    ]


def load_dialogue_examples(folder: Path) -> list[Example]:
    """Read `data/nlu/<language>.yml`, Rasa's NLU format.

    Raises:
        ConfigurationError: A file is not in that format.
    """
    examples: list[Example] = []
    for path in sorted(folder.glob("*.yml")):
        try:
            document: Mapping[str, Any] = yaml_files.load(path.read_text("utf-8"))
            for item in document["nlu"]:
                for line in item["examples"].splitlines():
                    text = line.strip().removeprefix("- ").strip()
                    if text:
                        examples.append(Example(text, item["intent"], path.stem))
        except (OSError, yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
            raise ConfigurationError(str(path), f"is not Rasa NLU YAML: {error!r}") from error
    return examples
