"""The command line knows the same commands whether it imports all of them or one."""

import subprocess
import sys
from pathlib import Path

import pytest

from bot.__main__ import GROUPS, _parser
from channels import registry

ROOT = Path(__file__).parents[2]
CHANNELS = [channel.name for channel in registry.CHANNELS if channel.commands]
NAMES = [*(name for names in GROUPS.values() for name in names), *CHANNELS]


def known(first: str = "") -> set[str]:
    (actions,) = [action for action in _parser(first)._actions if action.choices]
    assert actions.choices is not None
    return set(actions.choices)


def test_all_are_known_where_none_is_named() -> None:
    assert set(NAMES) == known()
    assert known("nonsense") == known("--help") == known()


def test_a_command_has_a_file_of_its_name() -> None:
    files = {path.stem for path in (ROOT / "bot/commands").glob("*.py")} - {"__init__"}
    assert files == {*GROUPS, "channels"}  # whose commands the channels themselves name
    assert {group for group, names in GROUPS.items() if names != (group,)} == {"process"}


@pytest.mark.parametrize("name", NAMES)
def test_a_named_one_is_known(name: str) -> None:
    assert name in known(name)
    # What is in no group may be a channel's, so there all are looked at.
    assert (known(name) < known()) is (name not in CHANNELS)


def test_who_starts_a_process_waits_for_no_other_command() -> None:
    assert known("ingress") == set(GROUPS["process"])
    assert known("serve") == {"serve"}
    code = "from bot.__main__ import _parser; import sys; _parser('ingress')"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; print('sqlalchemy' in sys.modules)"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "False"
