"""The form of findings/: what a script must say and how it must run; CI does not run them."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "findings"
SCRIPTS = sorted(FOLDER.glob("*.sh"))
TEXTS = {path.name: path.read_text("utf-8") for path in SCRIPTS}
HEAD = ("Surprise", "Versions", "Seen", "Therefore")
_INSTALL = re.compile(r"pip\"? install ((?:.*\\\n)*.*)")
_ADDRESS = re.compile(r"https?://([^/\s\"'}]+)")
_PATH = re.compile(r"(?<![\w$*.{}])/(?:home|root|work|opt|srv|tmp|mnt|Users|etc|usr(?!/bin/env))\b")


def _head(text: str) -> dict[str, str]:
    """Sentences of the head by their names; lines that go on are joined."""
    found: dict[str, str] = {}
    name = ""
    for line in text.splitlines()[1:]:
        if not line.startswith("#"):
            break
        begun = re.match(r"# ([A-Z]\w+): (.+)", line)
        if begun:
            name = begun[1]
            found[name] = begun[2]
        else:
            found[name] += " " + line.removeprefix("#").strip()
    return found


def test_there_are_findings() -> None:
    assert SCRIPTS


def test_nothing_else_lies_there() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {*TEXTS, "README.md"}


@pytest.mark.parametrize("name", TEXTS)
def test_the_head_says_what_is_surprising_with_versions_and_date(name: str) -> None:
    head = _head(TEXTS[name])
    assert tuple(head) == HEAD
    assert all(len(head[part]) > 20 for part in ("Surprise", "Therefore"))
    assert re.search(r"\d+\.\d+", head["Versions"])
    assert re.match(r"20\d\d-\d\d-\d\d\b", head["Seen"])


@pytest.mark.parametrize("name", TEXTS)
def test_versions_of_the_head_are_those_that_are_installed(name: str) -> None:
    pins = re.findall(r"([\w-]+)==([\w.]+)", "".join(_INSTALL.findall(TEXTS[name])))
    assert pins
    versions = _head(TEXTS[name])["Versions"]
    missing = [f"{package} {version}" for package, version in pins if version not in versions]
    assert missing == []


@pytest.mark.parametrize("name", TEXTS)
def test_every_package_is_pinned(name: str) -> None:
    for command in _INSTALL.findall(TEXTS[name]):
        words = command.replace("\\\n", " ").split()
        packages = [word for word in words if re.match(r"[A-Za-z]", word)]
        # What follows --python-version is a number, and a target is quoted.
        assert packages
        assert all("==" in package for package in packages), packages


@pytest.mark.parametrize("name", TEXTS)
def test_it_stops_at_errors_and_cleans_up(name: str) -> None:
    text = TEXTS[name]
    assert text.startswith("#!/usr/bin/env bash\n")
    assert os.access(FOLDER / name, os.X_OK)
    for line in ("set -euo pipefail", "work=$(mktemp -d)", "trap 'rm -rf \"$work\"' EXIT"):
        assert f"\n{line}\n" in text
    assert "\nPYTHON\n" in text
    assert re.search(r"<<'SEEN'\n.+\nSEEN\n", text, re.DOTALL)
    assert text.endswith('echo "as seen"\n')


@pytest.mark.parametrize("name", TEXTS)
def test_it_names_no_host_and_no_path_of_a_machine(name: str) -> None:
    hosts = set(_ADDRESS.findall(TEXTS[name]))
    assert {host.split("/")[0] for host in hosts} <= {"example.com"}
    assert _PATH.findall(TEXTS[name]) == []
    assert not re.search(r"index-url|find-links|trusted-host|import bot\b|from bot\b", TEXTS[name])


def test_the_page_lists_them_all() -> None:
    page = (FOLDER / "README.md").read_text("utf-8")
    listed = re.findall(r"^\| \[([\w-]+)\]\(([\w.-]+)\) \| .+ \|$", page, re.MULTILINE)
    assert [f"{title}.sh" for title, _ in listed] == [target for _, target in listed]
    assert [target for _, target in listed] == sorted(TEXTS)
