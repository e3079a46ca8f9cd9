"""Command line: `python -m bot …`. Wires processes together; imports rasa only where it is used."""

from __future__ import annotations

import argparse
import importlib
import os
import sys

os.environ.setdefault("RASA_TELEMETRY_ENABLED", "false")
# One thread a process: engines share the cores instead of fighting for them.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from bot import logs
from bot import settings as settings_module
from bot.errors import SamvadError
from bot.processes.roles import ROLES


def main(arguments: list[str] | None = None) -> int:
    """Run a command; return its exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    options = _parser(words[0] if words else "").parse_args(words)
    logs.to_stderr()  # processes set up their own
    try:
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
    "parse": ("parse",),
    "chat": ("chat",),
    "content": ("content",),
    "report": ("report",),
    "users": ("users",),
    "outbox": ("outbox",),
    "db": ("db",),
    "customer": ("customer",),
    "vendors": ("facebook", "telegram"),
    "webchat": ("webchat",),
    "evaluate": ("evaluate",),
}
"""Module of `bot.commands` → the commands it has."""


def _parser(first: str = "") -> argparse.ArgumentParser:
    """Know the commands.

    Args:
        first: First word of the command line. Where it is a command, only what that one needs is
            imported: an editor who publishes need not wait for what talks to Messenger.
    """
    parser = argparse.ArgumentParser(prog="python -m bot", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_processes(commands)
    known = first in commands.choices or any(first in names for names in GROUPS.values())
    for module, names in GROUPS.items():
        if not known or first in names:
            importlib.import_module(f"bot.commands.{module}").add(commands)
    return parser


def _add_processes(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    serve = commands.add_parser("serve", help="start everything and keep it running")
    serve.add_argument("--engines", type=int, help="engine processes (SAMVAD_ENGINES)")
    serve.add_argument("--port", type=int, help="port of the ingress (INGRESS_PORT)")
    serve.add_argument("--desk-port", type=int, help="port of the desk (DESK_PORT)")
    serve.add_argument(
        "--logs", choices=("files", "stdout"), default="files", help="where log lines go"
    )
    serve.set_defaults(run=_serve)
    ready = commands.add_parser("prepare", help="make the files of the understanding, and stop")
    ready.set_defaults(run=_prepare)
    setup = commands.add_parser("setup", help="database, model, understanding, content; then stop")
    setup.set_defaults(run=_setup)
    for role in ROLES.values():
        process = commands.add_parser(role.name, help=f"one process alone: {role.meaning}")
        process.add_argument("--name", default="", help="unique name of this process")
        process.add_argument("--port", type=int, help="port to listen on")
        process.set_defaults(run=_process, role=role.name)


def _prepare(options: argparse.Namespace) -> int:
    from bot.processes import prepare

    prepare.models_here(settings_module.load())
    return 0


def _setup(options: argparse.Namespace) -> int:
    from bot.processes import prepare

    prepare.everything(settings_module.load())
    return 0


def _serve(options: argparse.Namespace) -> int:
    from bot.processes import serve

    for name, value in (
        ("INGRESS_PORT", options.port),
        ("DESK_PORT", options.desk_port),
        ("SAMVAD_ENGINES", options.engines),
    ):
        if value is not None:
            os.environ[name] = str(value)  # children read the same environment
    settings = settings_module.load()
    return serve.run(settings, engines=settings.engines, log_to_files=options.logs == "files")


def _process(options: argparse.Namespace) -> int:
    from bot.processes import running

    if options.port is not None:
        os.environ["DESK_PORT" if options.role == "desk" else "INGRESS_PORT"] = str(options.port)
    running.run(settings_module.load(), options.role, options.name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
