"""Texts of the desk in the reader's language.

Every text is in `locales/<language>.yml`, one file per language, all with the same keys; nested
keys are joined by dots. A text with plural forms is a mapping of CLDR categories (`one`, `few`, …,
`other`); `meta` tells how a number chooses one and which digits are used. A folder of translations
is all a new language needs. The section `script` travels to the page (`static/texts.js`).
"""

from __future__ import annotations

import gettext
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml
from markupsafe import Markup, escape

from bot.errors import ConfigurationError
from bot.language import codes

FOLDER = Path(__file__).parent / "locales"
SOURCE = "en"
"""Every other language is a translation of this one; it steps in where one lacks a text."""
CATEGORIES = ("zero", "one", "two", "few", "many", "other")
SCRIPT = "script."

Entry = str | Mapping[str, str]
# Hebrew, Arabic and their relatives, with presentation forms: what runs right to left by itself.
_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")


class Texts:
    """The texts of one language.

    Args:
        language: ISO 639-1 code.
        entries: Dotted key → text with `{placeholders}`, or its plural forms.
        plural: A number → its CLDR category.
        numbers: CLDR numbering system of this language, such as `deva`.
        digits: Its ten digits, from nought.
    """

    def __init__(
        self,
        language: str,
        entries: Mapping[str, Entry],
        plural: Callable[[int], str],
        numbers: str,
        digits: str,
    ) -> None:
        self.language = language
        self.numbers = numbers
        self.direction = codes.direction(language)
        self.entries = entries
        self._plural = plural
        self._digits = str.maketrans("0123456789", digits)

    def has(self, key: str) -> bool:
        return key in self.entries

    def say(self, key: str, /, **values: Any) -> str:
        """Fill a text in, as plain text for attributes and messages.

        Words that run against the text's direction are isolated by invisible characters.

        Args:
            values: `n`, if the text has plural forms, chooses one; whole numbers get this
                language's digits.
        """
        text = self._form(key, values)
        if not values:
            return text
        return text.format_map({name: self._plain(value) for name, value in values.items()})

    def html(self, key: str, /, **values: Any) -> Markup:
        """Fill a text in, as HTML; each string becomes a `bdi` of its own, markup stays."""
        # The files are ours, yet a `<` in a text shall be a sign like any other.
        text = escape(self._form(key, values))
        return Markup(text.format_map({k: self._marked(v) for k, v in values.items()}))  # noqa: S704

    def word(self, section: str, value: str, otherwise: str = "") -> str:
        """Name a stored value; one that has no name here is shown as `otherwise`, or as it is."""
        key = f"{section}.{value}"
        return self.say(key) if key in self.entries else otherwise or value

    def number(self, value: float, decimals: int = 0) -> str:
        """Write a number with this language's digits."""
        return f"{value:.{decimals}f}".translate(self._digits)

    def clock(self, text: str) -> str:
        """Write the digits of a time this language's way."""
        return text.translate(self._digits)

    @property
    def script(self) -> Markup:
        """The texts of the page's scripts, as JSON that is safe inside a `script` element."""
        own = {
            key.removeprefix(SCRIPT): entry if isinstance(entry, str) else dict(entry)
            for key, entry in self.entries.items()
            if key.startswith(SCRIPT)
        }
        body = json.dumps(own, ensure_ascii=False, separators=(",", ":"))
        # `</script>` and `<!--` are the only ways out; JSON allows the escape.
        return Markup(body.replace("<", "\\u003c"))  # noqa: S704

    def _form(self, key: str, values: Mapping[str, Any]) -> str:
        entry = self.entries[key]
        if isinstance(entry, str):
            return entry
        return entry.get(self._plural(int(values.get("n", 0))), entry["other"])

    def _plain(self, value: Any) -> str:
        if isinstance(value, int):
            return self.number(value)
        text = str(value)
        against = bool(_RIGHT_TO_LEFT.search(text)) != (self.direction == "rtl")
        return f"\u2068{text}\u2069" if against and any(c.isalpha() for c in text) else text

    def _marked(self, value: Any) -> Markup:
        if isinstance(value, int):
            return Markup(self.number(value))  # noqa: S704 - digits
        if isinstance(value, Markup):
            return value
        return Markup("<bdi>{}</bdi>").format(value)


class Catalogue:
    """All languages of the desk."""

    def __init__(self, texts: Mapping[str, Texts], default: str) -> None:
        self.texts = texts
        self.default = default if default in texts else SOURCE

    @classmethod
    def load(cls, default: str = SOURCE, folder: Path = FOLDER) -> Catalogue:
        """Read every language of a folder.

        Raises:
            ConfigurationError: A file is missing or cannot be used.
        """
        raw = {file.stem: read(file) for file in sorted(folder.glob("*.yml"))}
        if SOURCE not in raw:
            raise ConfigurationError(str(folder), f"{SOURCE}.yml is missing")
        made = {language: _make(language, own, raw[SOURCE]) for language, own in raw.items()}
        return cls(made, default)

    def of(self, language: str) -> Texts:
        """Texts of a language; of the default where there are none."""
        return self.texts.get(codes.normalise(language), self.texts[self.default])

    def choose(self, *wanted: str, accepted: str = "") -> Texts:
        """Take the first language there is.

        Args:
            wanted: Codes in the order of their weight; empty ones are passed over.
            accepted: An `Accept-Language` header, asked after them.
        """
        for code in (*wanted, *_by_quality(accepted)):
            if code and codes.normalise(code) in self.texts:
                return self.texts[codes.normalise(code)]
        return self.texts[self.default]


def read(file: Path) -> dict[str, Entry]:
    """Read a file into dotted keys.

    Raises:
        ConfigurationError: It is no YAML mapping of texts.
    """
    try:
        loaded = yaml.safe_load(file.read_text("utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise ConfigurationError(str(file), f"cannot be read: {error}") from error
    flat: dict[str, Entry] = {}
    _flatten(loaded, "", flat, file)
    return flat


def _flatten(node: Any, key: str, into: dict[str, Entry], file: Path) -> None:
    if isinstance(node, str):
        into[key] = node
    elif isinstance(node, dict) and "other" in node and set(node) <= set(CATEGORIES):
        into[key] = {str(category): str(text) for category, text in node.items()}
    elif isinstance(node, dict):
        for name, child in node.items():
            if not isinstance(name, str):
                # YAML reads `yes` and `no` as truths.
                raise ConfigurationError(str(file), f"{key}: the key {name} is no word: quote it")
            _flatten(child, f"{key}.{name}" if key else name, into, file)
    else:
        raise ConfigurationError(str(file), f"{key} is no text: quote it")


def _make(language: str, own: Mapping[str, Entry], source: Mapping[str, Entry]) -> Texts:
    meta = {key: own.get(f"meta.{key}") for key in ("plural", "forms", "numbers", "digits")}
    if not all(isinstance(value, str) for value in meta.values()):
        raise ConfigurationError(f"{language}.yml", "meta needs plural, forms, numbers and digits")
    forms = str(meta["forms"]).split()
    rule = gettext.c2py(str(meta["plural"]))
    numbers, digits = str(meta["numbers"]), str(meta["digits"])
    return Texts(language, {**source, **own}, lambda n: forms[rule(n)], numbers, digits)


def _by_quality(header: str) -> list[str]:
    """Languages of an `Accept-Language` header, best first; nonsense is passed over."""
    languages = []
    for at, part in enumerate(header[:400].split(",")):
        tag, _, quality = part.strip().partition(";q=")
        try:
            weight = float(quality) if quality else 1.0
        except ValueError:
            continue
        if tag and weight > 0:
            languages.append((-weight, at, tag.split(";")[0]))
    return [tag for _, _, tag in sorted(languages)]
