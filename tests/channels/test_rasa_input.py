"""Rasa's own server is for this machine: who starts it for everybody is warned."""

from __future__ import annotations

import pytest
import structlog

from channels.kit import rasa_input


@pytest.fixture(autouse=True)
def told_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rasa_input, "_told", [])


@pytest.mark.parametrize(
    "words",
    ["run", "run -i 0.0.0.0", "run --interface 192.0.2.7", "run -p 5005 --interface=::", "run -i"],
)
def test_a_server_for_everybody_is_warned_of_once(words: str) -> None:
    with structlog.testing.capture_logs() as told:
        rasa_input.warn_if_open(words.split())
        rasa_input.warn_if_open(words.split())
    assert [line["event"] for line in told] == ["rasa.open"]
    assert "127.0.0.1" in told[0]["hint"]


@pytest.mark.parametrize(
    "words",
    [
        "run -i 127.0.0.1",
        "run --interface=127.0.0.1",
        "run --interface localhost",
        "run -i127.0.0.1",
        "run -i ::1",
        "train",
        "shell",
        "",
    ],
)
def test_one_for_this_machine_is_not(words: str) -> None:
    with structlog.testing.capture_logs() as told:
        rasa_input.warn_if_open(words.split())
    assert told == []
