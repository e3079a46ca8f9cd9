"""`prepare`: create the files of the models, and stop."""

from __future__ import annotations

import argparse

from bot import settings as settings_module


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser("prepare", help="make the files of the understanding, and stop")
    parser.set_defaults(run=_prepare)


def _prepare(options: argparse.Namespace) -> int:
    from bot.processes import prepare

    prepare.models_here(settings_module.load())
    return 0
