"""An engine starts without what no turn uses, and has it when it is used after all."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
START = """
import json, sys
import bot.__main__
from bot.processes.roles import ROLES
ROLES["engine"].load()
from bot.dialogue.late import CHANNELS, LATE, is_late
"""
WAITING = "json.dumps([is_late(sys.modules[name]) for name in (*LATE, CHANNELS)])"


def started(code: str) -> Any:
    """Run code where an engine has imported what it needs; give what its last line prints."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", START + code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_an_engine_starts_without_them() -> None:
    heavy = {
        "apscheduler.schedulers.base",
        "dask.base",
        "jwt.algorithms",
        "pkg_resources",
        "prompt_toolkit",
        "rasa.core.channels.telegram",
        "sanic.app",
        "scipy.sparse._base",
        "scipy.stats",
        "sklearn.base",
    }
    loaded = started(f"print(json.dumps(sorted({heavy!r} & set(sys.modules))))")
    assert loaded == []
    assert all(started(f"print({WAITING})"))


@pytest.mark.model
def test_turns_go_on_without_them(trained_model: Path) -> None:
    """Rasa answers as the tests of answers want it to, and still nobody has used any."""
    code = """
import pytest
failed = pytest.main(["-q", "-p", "no:cacheprovider", "tests/dialogue/test_answer.py"])
print(json.dumps([not failed, *json.loads({})]))
"""
    assert all(started(code.format(WAITING)))


USES = {
    "sklearn.model_selection": """
from rasa.utils.tensorflow.model_data import train_test_split
print(json.dumps([len(part) for part in train_test_split([1, 2, 3, 4, 5], test_size=2)]))
""",
    "sklearn": """
from sklearn.linear_model import LogisticRegression
print(json.dumps(LogisticRegression().fit([[0.0], [1.0]], [0, 1]).predict([[0.0], [1.0]]).tolist()))
""",
    "scipy.sparse": """
import scipy.sparse
kind = scipy.sparse.spmatrix
matrix = scipy.sparse.csr_matrix([[1]])
print(json.dumps([isinstance(matrix, kind), isinstance(matrix, scipy.sparse.spmatrix)]))
""",
    "apscheduler.schedulers.asyncio": """
from rasa.core import jobs
scheduler = jobs.AsyncIOScheduler()
print(json.dumps([type(scheduler).__module__, scheduler.running]))
""",
    "dask": """
import dask
print(json.dumps(dask.get({"a": 1, "b": (max, "a", 2)}, "b")))
""",
    "jwt": """
from rasa.core.channels import channel
token = channel.jwt.encode({"user": 1}, "k" * 32, algorithm="HS256")
print(json.dumps(channel.jwt.decode(token, "k" * 32, algorithms=["HS256"])))
""",
    "sanic": """
from rasa.core.channels import channel
class Ours(channel.Blueprint):
    pass
import sanic.blueprints
blueprint = Ours("ours")
print(json.dumps([isinstance(blueprint, sanic.blueprints.Blueprint), blueprint.name,
    issubclass(Ours, channel.Blueprint), channel.Sanic("app").name]))
""",
    "sanic.request": """
from rasa.core.channels import channel
import sanic.app
print(json.dumps(issubclass(sanic.request.Request, channel.Request)))
""",
    "sanic.response": """
from rasa.core.channels.rest import RestInput
from sanic.response import text
print(json.dumps([RestInput().blueprint(print).name, text("hello").status]))
""",
    "rasa.core.channels": """
from rasa.core import channels
print(json.dumps([channels.UserMessage("hello").text, "telegram" in channels.BUILTIN_CHANNELS]))
""",
}
"""Module → code that uses it; each by the way that Rasa or we would."""
GIVES: dict[str, Any] = {
    "sklearn.model_selection": [3, 2],
    "sklearn": [0, 1],
    "scipy.sparse": [True, True],
    "apscheduler.schedulers.asyncio": ["apscheduler.schedulers.asyncio", False],
    "dask": 2,
    "jwt": {"user": 1},
    "sanic": [True, "ours", True, "app"],
    "sanic.request": True,
    "sanic.response": ["custom_webhook_RestInput", 200],
    "rasa.core.channels": ["hello", True],
}


@pytest.mark.parametrize("module", USES)
def test_they_work_when_they_are_used_after_all(module: str) -> None:
    code = f"assert is_late(sys.modules[{module!r}])\n{USES[module]}"
    assert started(code) == GIVES[module]


def test_every_one_is_used_in_a_test() -> None:
    from bot.dialogue.late import CHANNELS, LATE

    assert {*LATE, CHANNELS} - {"apscheduler", "apscheduler.schedulers"} == USES.keys()


LIBRARY = """
import threading
sys.path.insert(0, {folder!r})
from bot.dialogue import late
late.LATE = {{"slow_library": ("answer",)}}
late.install()
from slow_library import answer
given = []
threads = [threading.Thread(target=lambda: given.append(answer())) for _ in range(8)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
import slow_library
print(json.dumps([sum(given), slow_library.RUNS, is_late(slow_library)]))
"""


def test_threads_that_use_one_at_once_find_it_whole(tmp_path: Path) -> None:
    (tmp_path / "slow_library.py").write_text(
        "import builtins, time\n"
        "RUNS = builtins.runs = getattr(builtins, 'runs', 0) + 1\n"
        "time.sleep(0.3)\n"
        "def answer():\n"
        "    return 42\n"
    )
    assert started(LIBRARY.format(folder=str(tmp_path))) == [8 * 42, 1, False]


def test_one_that_cannot_be_imported_says_so_each_time(tmp_path: Path) -> None:
    (tmp_path / "broken_library.py").write_text("raise OSError('a file is missing')\n")
    code = f"""
sys.path.insert(0, {str(tmp_path)!r})
from bot.dialogue import late
late.LATE = {{"broken_library": ()}}
late.install()
import broken_library
seen = []
for _ in range(2):
    try:
        broken_library.anything
    except OSError as error:
        seen.append(str(error))
print(json.dumps(seen))
"""
    assert started(code) == ["a file is missing"] * 2
