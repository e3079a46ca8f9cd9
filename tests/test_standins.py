"""Stand-ins let Rasa be imported without what nobody here uses, and refuse to be used."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
import rasa_standins

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "packaging" / "rasa-standins"
PROJECT = tomllib.loads((PACKAGE / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]
ALONE = sorted({*PROJECT["py-modules"], "google.auth", "google.oauth2"} - {"matplotlib"})
"""Libraries of which this environment has the stand-in only; the tests' has matplotlib."""
NOT_OURS_TO_BRING = {
    "transformers": "LanguageModelFeaturizer, which Rasa's own requirements leave out as well",
}


@pytest.mark.parametrize("library", ALONE)
def test_anything_below_a_library_can_be_imported_and_nothing_runs(library: str) -> None:
    module = importlib.import_module(f"{library}.deep.down")
    with pytest.raises(rasa_standins.LibraryMissing, match=library) as refused:
        module.Client("token", retries=3)
    assert rasa_standins.PAGE in str(refused.value)
    assert (ROOT / rasa_standins.PAGE).exists()


def test_a_class_that_is_built_on_a_stand_in_cannot_be_made() -> None:
    from aiogram import Bot

    class Ours:
        def __init__(self) -> None:
            raise AssertionError("nothing of it may run")

    class Output(Bot, Ours):  # type: ignore[misc]
        pass

    with pytest.raises(rasa_standins.LibraryMissing, match="aiogram"):
        Output()


def test_errors_that_nobody_raises_can_be_waited_for() -> None:
    import aio_pika.exceptions
    import pymongo.errors
    from botocore.exceptions import BotoCoreError

    try:
        raise KeyError("ours")
    except (
        pymongo.errors.ConnectionFailure,
        BotoCoreError,
        *aio_pika.exceptions.CONNECTION_EXCEPTIONS,
    ):
        pytest.fail("ours is none of theirs")
    except KeyError:
        pass


def test_annotations_and_decorators_work() -> None:
    import tensorflow as tf

    @tf.function
    def kept(x: tf.Tensor | None) -> list[tf.Tensor]:
        return [x]

    assert kept(7) == [7]
    assert tf.__version__ == "2.12.0"


def test_the_real_library_wins_where_it_is_installed(tmp_path: Path) -> None:
    (tmp_path / "twilio").mkdir()
    (tmp_path / "twilio" / "__init__.py").write_text("REAL = True\n")
    for name in ("twilio.py", "rasa_standins"):
        (tmp_path / name).symlink_to(PACKAGE / name)
    code = "import twilio; print(twilio.REAL)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout == "True\n"


def test_the_channels_of_rasa_import() -> None:
    """All of them, whenever one is asked for: `rasa.core.channels` imports them in a row."""
    channels = importlib.import_module("rasa.core.channels")
    assert {"slack", "telegram", "socketio"} <= set(channels.BUILTIN_CHANNELS)


def test_all_that_rasa_imports_when_it_starts_is_there() -> None:
    spec = find_spec("rasa")
    assert spec is not None
    assert spec.origin is not None
    folder = Path(spec.origin).parent
    missing = {
        name: path.relative_to(folder)
        for path in folder.rglob("*.py")
        for name in _at_once(ast.parse(path.read_text("utf-8")))
        if name not in NOT_OURS_TO_BRING and name not in sys.stdlib_module_names
        if find_spec(name) is None
    }
    assert missing == {}


def _at_once(tree: ast.Module) -> Iterator[str]:
    """Top-level names that a module imports as soon as it is imported itself."""
    for node in tree.body:
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]
