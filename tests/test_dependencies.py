"""Each install declares what its processes import, and nothing else."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TOPS = ("bot", "channels", "actions")

ENGINE_ONLY = frozenset(
    {
        "bot.commands.evaluate",
        "bot.commands.chat",
        "bot.commands.parse",
        "bot.dialogue.late._core_of_channels",
        "bot.processes.prepare.models_here",
        "bot.processes.engine",
        "bot.stores.redis_client._server_file",
    }
)
"""Modules, and functions of modules, that `python -m bot` runs only where the engine is installed.
Everything else that it leads to is what the web install runs."""

UNIMPORTED = {
    "hiredis": "redis-py takes it when it is there",
    "psycopg": "SQLAlchemy imports the driver that the address names",
    "rasa-standins": "Rasa imports what they stand for",
    "tzdata": "zoneinfo reads it where the system has no time zones",
}
"""Distributions that are declared though no line of ours imports them, and who does."""


@cache
def modules() -> dict[str, Path]:
    """Every module of ours by its name."""
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for top in TOPS
        for path in sorted((ROOT / top).rglob("*.py"))
    }


@cache
def code_of(module: str) -> ast.Module:
    return ast.parse(modules()[module].read_text("utf-8"))


def imported(node: ast.AST, where: str) -> Iterator[str]:
    """Names that a piece of code imports, also inside functions, but for `ENGINE_ONLY` ones."""
    for child in ast.iter_child_nodes(node):
        name = getattr(child, "name", "")
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) and (
            f"{where}.{name}" in ENGINE_ONLY
        ):
            continue
        if isinstance(child, ast.Import):
            yield from (alias.name for alias in child.names)
        elif isinstance(child, ast.ImportFrom) and child.module:
            yield child.module
            yield from (f"{child.module}.{alias.name}" for alias in child.names)
        elif isinstance(child, ast.Call):
            yield from looked_up(child)
        yield from imported(child, where)


def looked_up(call: ast.Call) -> Iterator[str]:
    """Names that a call of `import_module` or `find_spec` may mean; an f-string means all that fit.

    The one f-string that leads to a channel's `channel.py` is Rasa's way in, not ours.
    """
    called = getattr(call.func, "id", "") or getattr(call.func, "attr", "")
    if called not in ("import_module", "find_spec"):
        return
    named = call.args[0]
    if isinstance(named, ast.Constant):
        yield str(named.value)
    elif isinstance(named, ast.JoinedStr):
        parts = [
            re.escape(str(part.value)) if isinstance(part, ast.Constant) else r"[\w.]+"
            for part in named.values
        ]
        fitting = re.compile("".join(parts))
        yield from (
            name for name in modules() if fitting.fullmatch(name) and not name.endswith(".channel")
        )


@cache
def reached(*entries: str) -> dict[str, set[str]]:
    """Follow our own imports from some modules; return foreign package → modules that import it."""
    foreign: dict[str, set[str]] = {}
    seen: set[str] = set()
    waiting = list(entries)
    while waiting:
        module = waiting.pop()
        if module in seen or module in ENGINE_ONLY:
            continue
        seen.add(module)
        for name in imported(code_of(module), module):
            top = name.partition(".")[0]
            if top not in TOPS:
                foreign.setdefault(top, set()).add(module)
                continue
            while name not in modules():
                name = name.rpartition(".")[0]
            waiting.append(name)
    return {name: by for name, by in foreign.items() if name not in sys.stdlib_module_names}


@cache
def everything() -> dict[str, set[str]]:
    """Foreign package → modules of ours that import it, whoever runs them."""
    found: dict[str, set[str]] = {}
    for module in modules():
        for name in imported(code_of(module), "nothing is left out"):
            found.setdefault(name.partition(".")[0], set()).add(module)
    return {k: v for k, v in found.items() if k not in {*sys.stdlib_module_names, *TOPS}}


def declared(group: str) -> set[str]:
    """Distributions of an install, those of the installs it includes among them."""
    names: set[str] = set()
    for item in tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["dependency-groups"][
        group
    ]:
        names |= declared(item["include-group"]) if isinstance(item, dict) else {distribution(item)}
    return names


def distribution(requirement: str) -> str:
    """`PyYAML>=6` → `pyyaml`."""
    name = re.match(r"[\w.-]+", requirement)
    assert name, requirement
    return re.sub(r"[-_.]+", "-", name[0]).lower()


@cache
def providers() -> dict[str, set[str]]:
    """Package that can be imported → distributions it comes from."""
    return {
        package: {distribution(name) for name in names}
        for package, names in packages_distributions().items()
    }


INSTALLS = {"web": lambda: reached("bot.__main__"), "engine": everything}


@pytest.mark.parametrize("install", INSTALLS)
def test_what_is_imported_is_declared(install: str) -> None:
    missing = {
        package: sorted(importers)
        for package, importers in INSTALLS[install]().items()
        if not providers().get(package, set()) & declared(install)
    }
    assert missing == {}


@pytest.mark.parametrize("install", INSTALLS)
def test_what_is_declared_is_imported(install: str) -> None:
    used = set().union(*(providers()[package] for package in INSTALLS[install]()))
    assert declared(install) - used - UNIMPORTED.keys() == set()


def test_the_web_install_brings_no_rasa() -> None:
    heavy = {"rasa", "rasa-sdk", "rasa-standins", "numpy", "scipy", "scikit-learn", "onnxruntime"}
    assert not heavy & declared("web")
    assert heavy <= declared("engine") <= declared("dev")


def test_the_exceptions_are_still_exceptions() -> None:
    used = set().union(*(providers()[package] for package in everything()))
    assert UNIMPORTED.keys() <= declared("engine") - used
    for name in ENGINE_ONLY - modules().keys():
        module, _, function = name.rpartition(".")
        assert function in {getattr(node, "name", "") for node in code_of(module).body}, name


def test_imports_inside_functions_and_put_together_names_are_seen() -> None:
    code = (
        "from importlib import import_module\n"
        "def late(name):\n"
        "    import numpy.linalg\n"
        "    import_module('pycld2')\n"
        "    import_module(f'bot.commands.{name}')\n"
    )
    found = set(imported(ast.parse(code), "bot.odd"))
    assert {"numpy.linalg", "pycld2", "bot.commands.db", "bot.commands.evaluate"} <= found
