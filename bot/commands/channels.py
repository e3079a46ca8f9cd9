"""`<channel> <command>`, such as `telegram setup`: set-up and queries of channels."""

from __future__ import annotations

import argparse
import asyncio
import contextlib

from bot import logs
from bot import settings as settings_module
from bot.processes.running import until_stopped
from bot.stores import redis_client
from channels import registry
from channels.base import Command


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add a group for each channel that has commands."""
    for channel in registry.CHANNELS:
        if not channel.commands:
            continue
        names = ", ".join(command.name for command in channel.commands)
        group = commands.add_parser(channel.name, help=f"{channel.title}: {names}")
        verbs = group.add_subparsers(required=True, metavar="VERB")
        for command in channel.commands:
            verb = verbs.add_parser(command.name, help=command.meaning)
            if command.options:
                command.options(verb)
            verb.set_defaults(run=_run, command=command, process=f"{channel.name}-{command.name}")


def _run(options: argparse.Namespace) -> int:
    command: Command = options.command
    config = settings_module.load()
    if command.stays:
        return _stay(command, config, options)
    print("\n".join(asyncio.run(_lines(command, config, options))))
    return 0


def _stay(command: Command, config: settings_module.Settings, options: argparse.Namespace) -> int:
    logs.configure(config.log_level, options.process)
    server = redis_client.ensure_server(config)
    print(f"{command.meaning}; Ctrl-C stops", flush=True)
    try:
        with contextlib.suppress(asyncio.CancelledError):
            asyncio.run(until_stopped(_lines(command, config, options)))
    finally:
        if server:
            server.stop()
    return 0


async def _lines(
    command: Command, config: settings_module.Settings, options: argparse.Namespace
) -> list[str]:
    return list(await command.run(config, options))
