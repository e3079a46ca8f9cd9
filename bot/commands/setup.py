"""`setup`: everything a start needs, once, before several machines start."""

from __future__ import annotations

import argparse

from bot import settings as settings_module


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    meaning = "database, model, understanding, content; then stop"
    commands.add_parser("setup", help=meaning).set_defaults(run=_set_up)


def _set_up(options: argparse.Namespace) -> int:
    from bot.processes import prepare

    prepare.everything(settings_module.load())
    return 0
