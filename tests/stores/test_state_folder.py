"""What we write is for the user who runs us, whatever the umask of the shell."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import structlog
from running import REPO, clean_environment

from bot.stores import state_folder

USUAL = 0o022


@pytest.fixture(autouse=True)
def told_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state_folder, "_told", set())


def _run(state: Path, *words: str, stdin: str = "") -> None:
    subprocess.run(
        [sys.executable, "-m", "bot", *words],
        cwd=REPO,
        env=clean_environment(SAMVAD_STATE_DIR=str(state)),
        input=stdin,
        text=True,
        check=True,
        capture_output=True,
        umask=USUAL,
    )


def test_commands_write_for_their_owner_only(tmp_path: Path) -> None:
    state, copies = tmp_path / "state", tmp_path / "copies"
    _run(state, "db", "upgrade")
    _run(state, "users", "add", "asha", stdin="a long password of hers\n")
    _run(state, "db", "backup", str(copies / "monday.sqlite3"))
    written = [state, copies, *state.rglob("*"), *copies.rglob("*")]
    assert {state / "samvad.sqlite3", copies / "monday.sqlite3"} <= set(written)
    open_to_others = [str(p) for p in written if stat.S_IMODE(p.stat().st_mode) & 0o077]
    assert open_to_others == []


def test_the_folder_is_made_for_its_owner(tmp_path: Path) -> None:
    before = os.umask(USUAL)
    try:
        with structlog.testing.capture_logs() as told:
            made = state_folder.ensure(tmp_path / "deep" / "state")
    finally:
        os.umask(before)
    assert stat.S_IMODE(made.stat().st_mode) == 0o700
    assert told == []


def test_a_folder_that_is_open_is_named_once_and_left(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    folder.chmod(0o755)
    with structlog.testing.capture_logs() as told:
        state_folder.ensure(folder)
        state_folder.ensure(folder)
    [line] = told
    assert (line["event"], line["path"], line["mode"]) == (
        "state_folder.open",
        str(folder),
        "755",
    )
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755
