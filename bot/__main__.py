"""Command line `python -m bot …`; each command is a file in bot/commands, imported when used."""

from __future__ import annotations

import argparse
import importlib
import os
import sys

os.environ.setdefault("RASA_TELEMETRY_ENABLED", "false")
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # read when ONNX Runtime is imported
# One thread per process: engines share the cores instead of competing for them.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from bot import logs
from bot.errors import SamvadError
from bot.processes.roles import ROLES
from bot.stores import state_folder


def main(arguments: list[str] | None = None) -> int:
    """Run a command; return its exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    options = _parser(words[0] if words else "").parse_args(words)
    logs.to_stderr()  # processes configure their own logs
    try:
        with state_folder.private():
            result: int = options.run(options)
        return result
    except SamvadError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        return 0
    except KeyboardInterrupt:
        return 130


GROUPS: dict[str, tuple[str, ...]] = {
    "serve": ("serve",),
    "setup": ("setup",),
    "prepare": ("prepare",),
    "process": tuple(ROLES),
    "parse": ("parse",),
    "chat": ("chat",),
    "content": ("content",),
    "report": ("report",),
    "users": ("users",),
    "outbox": ("outbox",),
    "db": ("db",),
    "customer": ("customer",),
    "evaluate": ("evaluate",),
}
"""Module of `bot.commands` → its commands. Other commands may belong to a channel."""


def _parser(first: str = "") -> argparse.ArgumentParser:
    """Build the parser of the command line.

    Args:
        first: First word of the command line. If it is a command, only its module is imported, so
            that publishing does not wait for the code of channels.
    """
    parser = argparse.ArgumentParser(prog="python -m bot", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    is_command = any(first in names for names in GROUPS.values())
    modules = [m for m, names in GROUPS.items() if not is_command or first in names]
    for module in [*modules, *([] if is_command else ["channels"])]:
        importlib.import_module(f"bot.commands.{module}").add(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
