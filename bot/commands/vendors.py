"""`facebook setup`, `telegram setup` and `telegram poll`: what is done at the vendors."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
from importlib import import_module
from typing import Any

from bot import logs
from bot import settings as settings_module
from bot.processes.running import until_stopped
from bot.stores import redis_client

SETUPS = {
    "facebook": "subscribe the pages; set greeting, get-started and menu in all languages",
    "telegram": "set the webhooks; set commands and descriptions in all languages",
}


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add both groups."""
    for channel, meaning in SETUPS.items():
        group = commands.add_parser(channel, help=f"what is set at {channel.capitalize()}")
        verbs = group.add_subparsers(required=True, metavar="VERB")
        setup = verbs.add_parser("setup", help=f"{meaning}; shows what is there already")
        setup.add_argument("--show", action="store_true", help="change nothing")
        setup.set_defaults(run=_setup, channel=channel)
        if channel == "telegram":
            poll = verbs.add_parser("poll", help="fetch updates, without a public address")
            poll.add_argument(
                "--replace-webhook", action="store_true", help="take updates from a webhook"
            )
            poll.set_defaults(run=_poll, channel=channel)


def module_of(channel: str, name: str) -> Any:
    """Channels are wired by dotted name: nothing in `bot` imports them."""
    return import_module(f"channels.{channel}.{name}")


def _setup(options: argparse.Namespace) -> int:
    config = settings_module.load()
    work = module_of(options.channel, "setup").run(config, show_only=options.show)
    print("\n".join(asyncio.run(work)))
    return 0


def _poll(options: argparse.Namespace) -> int:
    config = settings_module.load()
    logs.configure(config.log_level, "telegram-poll")
    server = redis_client.ensure(config)
    work = module_of(options.channel, "poll").run(config, replace_webhook=options.replace_webhook)
    print("fetching updates; Ctrl-C stops", flush=True)
    try:
        with contextlib.suppress(asyncio.CancelledError):
            asyncio.run(until_stopped(work))
    finally:
        if server:
            server.stop()
    return 0
