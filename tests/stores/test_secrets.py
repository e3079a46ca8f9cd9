"""Secrets of our own: made once, the same for every process, never readable by others."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bot.errors import ConfigurationError
from bot.stores.secrets import load_or_create


def test_a_secret_stays_the_same_and_is_ours_alone(tmp_path: Path) -> None:
    first = load_or_create(tmp_path, "webchat")
    assert load_or_create(tmp_path, "webchat") == first
    assert load_or_create(tmp_path, "session") != first
    assert len(first) == 64
    path = tmp_path / "secrets" / "webchat"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_many_processes_at_once_agree_on_one(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = set(pool.map(lambda _: load_or_create(tmp_path, "webchat"), range(32)))
    assert len(made) == 1
    assert [path.name for path in (tmp_path / "secrets").iterdir()] == ["webchat"]


def test_a_given_secret_wins_and_is_not_written(tmp_path: Path) -> None:
    given = "given-by-the-operator"
    assert load_or_create(tmp_path, "webchat", given) == given.encode()
    assert not (tmp_path / "secrets").exists()


def test_a_short_secret_stops_the_start_and_is_not_shown(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="WEBCHAT_SECRET: write at least 16") as refused:
        load_or_create(tmp_path, "webchat", "short")
    assert "short" not in str(refused.value)


def test_a_damaged_file_is_told_not_replaced(tmp_path: Path) -> None:
    load_or_create(tmp_path, "webchat")
    path = tmp_path / "secrets" / "webchat"
    path.write_text("")
    with pytest.raises(ConfigurationError, match="delete it"):
        load_or_create(tmp_path, "webchat")
    assert path.read_text() == ""
