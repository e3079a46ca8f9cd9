"""The registry is the one place that names channels, and the pages say what it says."""

from __future__ import annotations

import ast
from dataclasses import fields
from pathlib import Path

import pytest

from bot.settings import Settings
from channels import registry
from channels.base import Channel

ROOT = Path(__file__).parents[2]
NAMES = {channel.name for channel in registry.CHANNELS}


def _row(channel: Channel) -> str:
    """A channel as the page shows it."""
    needed = [f.metadata["env"] for f in fields(channel.settings) if f.metadata["needed"]]
    cells = (
        f"`{channel.name}`",
        channel.title,
        ", ".join(f"`{name}`" for name in needed) or "always",
        "yes" if channel.files else "no",
        ", ".join(f"`{command.name}`" for command in channel.commands) or "–",
        f"[{Path(channel.page).stem}]({Path(channel.page).name})",
    )
    return f"| {' | '.join(cells)} |"


def test_the_page_lists_the_channels() -> None:
    page = (ROOT / "docs/architecture.md").read_text("utf-8")
    section = page.partition("\n## Channels\n")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    assert rows == [_row(channel) for channel in registry.CHANNELS]


def _strings(path: Path) -> set[str]:
    """Texts of a file that are the name of a channel and nothing else."""
    tree = ast.parse(path.read_text("utf-8"))
    return {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in NAMES
    }


def _is_folder_of(path: Path, channel: str) -> bool:
    return ROOT / "channels" / channel in path.parents


def test_nobody_asks_for_a_channel_by_name() -> None:
    asking = {
        f"{path.relative_to(ROOT)} names {name}"
        for top in ("bot", "channels", "actions")
        for path in sorted((ROOT / top).rglob("*.py"))
        for name in _strings(path)
        if not _is_folder_of(path, name)
    }
    assert asking == set()


def test_a_channel_says_its_own_name_once() -> None:
    for name in NAMES:
        saying = [p for p in (ROOT / "channels" / name).rglob("*.py") if name in _strings(p)]
        assert [path.name for path in saying] == ["settings.py"], name


def test_no_channel_imports_another() -> None:
    importing = {
        f"{path.relative_to(ROOT)} imports {node.module}"
        for path in (ROOT / "channels").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module
        for name in NAMES
        if node.module.startswith(f"channels.{name}.") and not _is_folder_of(path, name)
    }
    assert importing == set()


def test_only_what_is_on_gets_a_client(settings: Settings) -> None:
    on = {channel.name for channel in registry.on(settings)}
    assert on == NAMES - registry.off(settings).keys()
    assert on == {"webchat", "rest"}


@pytest.mark.parametrize("name", sorted(NAMES))
def test_a_channel_is_found_in_its_own_folder(name: str) -> None:
    folder = ROOT / "channels" / name
    assert (folder / "__init__.py").read_text("utf-8").count("CHANNEL = Channel(") == 1
