"""`ingress`, `engine` and the other roles: one process alone."""

from __future__ import annotations

import argparse
from pathlib import Path

from bot import settings as settings_module
from bot.processes.roles import ROLES

PORTS = {"desk": "DESK_PORT", "ingress": "INGRESS_PORT"}
"""Setting of the port by role; the others only answer whether they live."""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add a command for each process."""
    for role in ROLES.values():
        parser = commands.add_parser(role.name, help=f"one process alone: {role.meaning}")
        parser.add_argument("--name", default="", help="unique name of this process")
        parser.add_argument(
            "--port",
            type=int,
            help="port of its pages, or of `/live` and `/ready`",
        )
        parser.add_argument(
            "--log",
            type=Path,
            help="file for log lines, ten of ten megabytes; else standard output",
        )
        parser.set_defaults(run=_run, role=role.name)


def _run(options: argparse.Namespace) -> int:
    from bot.processes import running

    if options.port is not None:
        settings_module.set_for_children(PORTS.get(options.role, "HEALTH_PORT"), options.port)
    running.run(settings_module.load(), options.role, options.name, options.log)
    return 0
