"""System answers from domain.yml, for processes that do not import rasa.

domain.yml is a Rasa domain: each response has one variation per language, distinguished by a
condition on the slot `language`; the one without a condition is the default.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from bot.content import yaml_files
from bot.errors import ConfigurationError

DOMAIN = Path("domain.yml")


class SystemTexts:
    """System answers by response name and language.

    Args:
        texts: Response name → language → text with `{placeholders}`.
        default: Language of a text that has no condition.
    """

    def __init__(self, texts: Mapping[str, Mapping[str, str]], default: str) -> None:
        self._texts = texts
        self.default = default

    @classmethod
    @cache
    def load(cls, default: str = "en", path: Path = DOMAIN) -> SystemTexts:
        """Read the responses of a domain file.

        Raises:
            ConfigurationError: The file is missing or not a domain.
        """
        try:
            domain = yaml_files.load(path.read_text("utf-8"))
            return cls(from_responses(domain["responses"], default), default)
        except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
            raise ConfigurationError(
                str(path), f"cannot be read as a Rasa domain: {error}"
            ) from error

    def has(self, name: str) -> bool:
        return name in self._texts

    def languages(self, name: str) -> frozenset[str]:
        return frozenset(self._texts.get(name, ()))

    def language_for(self, name: str, language: str) -> str:
        """Return the language a text is available in: the requested one, or the default."""
        return language if language in self._texts[name] else self.default

    def render(self, name: str, language: str, **values: object) -> str:
        """Fill in a text; an unknown placeholder stays in it rather than failing.

        Raises:
            KeyError: There is no response of that name.
        """
        texts = self._texts[name]
        text = texts.get(language) or texts[self.default]
        for key, value in values.items():
            text = text.replace(f"{{{key}}}", str(value))
        return text


def from_responses(responses: Mapping[str, Any], default: str) -> dict[str, dict[str, str]]:
    """Shape a domain's `responses` as name → language → text."""
    texts: dict[str, dict[str, str]] = {}
    for name, variations in responses.items():
        by_language = texts.setdefault(name, {})
        for variation in variations or ():
            languages = [
                condition["value"]
                for condition in variation.get("condition", ())
                if condition.get("name") == "language"
            ]
            for language in languages or [default]:
                by_language[language] = variation["text"]
    return texts
