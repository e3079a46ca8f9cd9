"""First passwords are shown to a person, and kept out of logs."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from bot.processes import serve
from bot.settings import Settings

LOGINS = [("agent", "first-word"), ("admin", "second-word")]


def _printed(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    *,
    terminal: bool,
) -> str:
    monkeypatch.setattr(serve.sys.stdout, "isatty", lambda: terminal, raising=False)
    serve._print_addresses(Settings(state_dir=tmp_path), LOGINS, log_to_files=False)
    return capsys.readouterr().out


def test_a_terminal_shows_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = _printed(tmp_path, capsys, monkeypatch, terminal=True)
    assert "agent / first-word" in shown
    assert not (tmp_path / "secrets").exists()


def test_elsewhere_a_file_for_the_owner_has_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = _printed(tmp_path, capsys, monkeypatch, terminal=False)
    assert "word" not in shown.replace("passwords", "")
    path = tmp_path / "secrets" / serve.FIRST_LOGINS
    assert str(path) in shown
    assert path.read_text("utf-8") == "agent / first-word\nadmin / second-word\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_where_nobody_was_made_nothing_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    serve._print_addresses(Settings(state_dir=tmp_path), [], log_to_files=False)
    assert "Login" not in capsys.readouterr().out
