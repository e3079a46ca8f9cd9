"""Limits of platforms, as rules with their sources; each channel has its own table."""

from __future__ import annotations

from dataclasses import dataclass

from channels.kit.splitting import shorten, units


@dataclass(frozen=True)
class Rule:
    """One documented limit."""

    what: str
    value: float
    unit: str
    """`characters` (counted as UTF-16 units, the strictest reading), `bytes`, `pixels`, `times`,
    `items`, `seconds` or `per second`."""
    source: str

    def fits(self, text: str) -> bool:
        """Tell whether a text is within this limit of characters or bytes."""
        return self.size(text) <= self.value

    def size(self, text: str) -> int:
        """Measure a text in this rule's unit."""
        return len(text.encode()) if self.unit == "bytes" else units(text)


@dataclass(frozen=True)
class Limits:
    """Limits of one platform; empty where there are none."""

    rules: tuple[Rule, ...] = ()

    def rule(self, what: str) -> Rule:
        """Look a rule up.

        Raises:
            KeyError: There is none.
        """
        for rule in self.rules:
            if rule.what == what:
                return rule
        raise KeyError(what)

    def most(self, what: str) -> int:
        """Whole number of a rule."""
        return int(self.rule(what).value)

    def within(self, what: str, text: str) -> str:
        """Cut a text to a rule, with an ellipsis, never within a character a reader sees."""
        return shorten(text, self.most(what))
