"""Settings as rows of docs/settings.md, read from the dataclasses and their field docstrings."""

from __future__ import annotations

import ast
import inspect
import itertools
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

from bot import settings as settings_module
from bot.settings import Settings, Thresholds


def rows() -> list[str]:
    """One Markdown row a setting, in the order of the dataclasses."""
    made = []
    for owner in (Settings, Thresholds):
        meanings = _meanings(owner.__name__)
        for item in fields(owner):
            if item.name == "thresholds":
                continue
            env = item.metadata.get("env") or f"SAMVAD_THRESHOLD_{item.name.upper()}"
            default = item.default_factory() if item.default is MISSING else item.default  # type: ignore[misc]
            made.append(f"| `{item.name}` | `{env}` | {_shown(default)} | {meanings[item.name]} |")
    return made


def _meanings(owner: str) -> dict[str, str]:
    tree = ast.parse(inspect.getsource(settings_module))
    body = next(n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == owner).body
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
