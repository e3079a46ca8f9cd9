"""Words that tell languages apart, from `data/telling.json`."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources


@cache
def _lists() -> dict[str, str]:
    file = resources.files("bot.language").joinpath("data", "telling.json")
    lists: dict[str, str] = json.loads(file.read_text(encoding="utf-8"))
    return lists


@cache
def words(name: str) -> frozenset[str]:
    """Return a list of words by its name; `data/telling.json` has them."""
    return frozenset(_lists()[name].split())
