"""Standard output belongs to a command's result; what it logs meanwhile goes beside it."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import pytest
import structlog

from bot.__main__ import main
from bot.commands import content


@pytest.fixture(autouse=True)
def defaults() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def test_log_lines_of_a_command_go_to_standard_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(_: argparse.Namespace) -> int:
        structlog.get_logger("any").info("understanding.embedding", done=1)
        print("the result")
        return 0

    monkeypatch.setattr(content, "_validate", run)
    assert main(["content", "validate"]) == 0
    told = capsys.readouterr()
    assert told.out == "the result\n"
    assert "understanding.embedding" in told.err
