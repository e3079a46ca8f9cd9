"""Settings as rows of docs/settings.md, read from the dataclasses and their field docstrings."""

from __future__ import annotations

import ast
import inspect
import itertools
import sys
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

from bot.settings import Settings, Thresholds, names
from channels.registry import CHANNELS

OWNERS: tuple[type[Any], ...] = (Settings, *(c.settings for c in CHANNELS), Thresholds)
"""Every dataclass of settings, in the order of the page."""
NAMES = [name for owner in OWNERS for name in names(owner)]
"""Every variable of the environment that is ours."""


def rows() -> list[str]:
    """One Markdown row a setting, in the order of the dataclasses."""
    made = []
    for owner in OWNERS:
        meanings = _meanings(owner)
        for item in fields(owner):
            if env := item.metadata.get("env"):
                default = item.default_factory() if item.default is MISSING else item.default  # type: ignore[misc]
                meaning = meanings[item.name]
                made.append(f"| `{item.name}` | `{env}` | {_shown(default)} | {meaning} |")
    return made


def _meanings(owner: type[Any]) -> dict[str, str]:
    tree = ast.parse(inspect.getsource(sys.modules[owner.__module__]))
    body = next(
        n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == owner.__name__
    ).body
    return {
        field.target.id: " ".join(ast.literal_eval(text.value).split())
        for field, text in itertools.pairwise(body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
    }


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "`on`" if value else "`off`"
    if isinstance(value, tuple):
        value = ",".join(value)
    if isinstance(value, dict):
        value = ";".join(f"{key}={' '.join(origins)}" for key, origins in value.items())
    if value in ("", Path()):
        return "empty"
    return f"`{value}`"
