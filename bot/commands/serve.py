"""`serve`: start every process and keep all running."""

from __future__ import annotations

import argparse

from bot import settings as settings_module


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser("serve", help="start everything and keep it running")
    parser.add_argument("--engines", type=int, help="engine processes (SAMVAD_ENGINES)")
    parser.add_argument("--port", type=int, help="port of the ingress (INGRESS_PORT)")
    parser.add_argument("--desk-port", type=int, help="port of the desk (DESK_PORT)")
    parser.add_argument(
        "--logs", choices=("files", "stdout"), default="files", help="where log lines go"
    )
    parser.set_defaults(run=_serve)


def _serve(options: argparse.Namespace) -> int:
    from bot.processes import serve

    for name, value in (
        ("INGRESS_PORT", options.port),
        ("DESK_PORT", options.desk_port),
        ("SAMVAD_ENGINES", options.engines),
    ):
        if value is not None:
            settings_module.set_for_children(name, value)
    settings = settings_module.load()
    return serve.run(settings, engines=settings.engines, log_to_files=options.logs == "files")
