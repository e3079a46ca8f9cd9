"""docs/extending.md: every list names files that exist, and the made-up ones follow it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/extending.md").read_text("utf-8")
SECTIONS = dict(re.findall(r"^## (Add .+?)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
_PATH = re.compile(r"`((?:bot|channels|actions|data|docs|tests|config|domain)[\w/.-]*(?:/|\.\w+))`")


@pytest.mark.parametrize("name", SECTIONS)
def test_a_list_is_numbered_and_its_files_exist(name: str) -> None:
    steps = [int(number) for number in re.findall(r"^(\d+)\. ", SECTIONS[name], re.MULTILINE)]
    assert steps == list(range(1, len(steps) + 1))
    assert len(steps) >= 2
    named = _PATH.findall(SECTIONS[name])
    assert named
    assert [path for path in named if not (ROOT / path).exists()] == []


@pytest.mark.parametrize(
    "name",
    [
        "Add a channel",
        "Add a page of the desk",
        "Add an event",
        "Add a report",
        "Add a connector",
        "Add a handoff cause",
        "Add an interface language",
        "Add a setting",
    ],
)
def test_what_grows_has_a_list(name: str) -> None:
    assert name in SECTIONS


def test_the_made_up_channel_follows_the_list() -> None:
    """Each file that the list asks of a channel's folder, and no other."""
    steps = re.findall(r"^\d+\. (.+(?:\n {3,}.+)*)", SECTIONS["Add a channel"], re.MULTILINE)
    asked = {
        Path(path).name
        for step in steps
        for path in _PATH.findall(step)
        if path.startswith("channels/telegram/") and path != "channels/telegram/"
    }
    made = {path.name for path in (ROOT / "tests/channels/made_up/pager").glob("*.py")}
    assert asked == made
