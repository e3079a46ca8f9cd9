"""`outbox list|replay`: dead letters."""

from __future__ import annotations

import argparse
import asyncio
import time

from bot import settings as settings_module
from bot.commands.report import add_formats
from bot.processes import prepare
from bot.reports.formats import as_text
from bot.stores import redis_client
from bot.stores.database import Database
from bot.streams import dead_letters

COLUMNS = ("id", "direction", "conversation", "error", "since", "replayed")


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the group."""
    group = commands.add_parser("outbox", help="messages that were given up (dead letters)")
    verbs = group.add_subparsers(required=True, metavar="VERB")
    listing = verbs.add_parser("list", help="newest first")
    add_formats(listing)
    listing.set_defaults(run=_list)
    replaying = verbs.add_parser("replay", help="send one, or all, on its way again")
    replaying.add_argument("id", help="the letter's id, or `all`")
    replaying.set_defaults(run=_replay)


def _list(options: argparse.Namespace) -> int:
    config = settings_module.load()
    prepare.database(config)
    store = Database.of(config)
    try:
        letters = store.look(dead_letters.read_letters)
    finally:
        store.close()
    rows = [
        {
            **{key: letter[key] for key in ("id", "direction", "conversation", "error")},
            "since": _moment(letter["created_at"]),
            "replayed": _moment(letter["replayed_at"]) if letter["replayed_at"] else "",
        }
        for letter in letters
    ]
    print(as_text(rows, COLUMNS, options.format), end="")
    return 0


def _replay(options: argparse.Namespace) -> int:
    config = settings_module.load()
    server = redis_client.ensure_server(config)
    try:
        count = asyncio.run(_replay_all(options.id))
    finally:
        if server:
            server.stop()
    print(f"{count} on their way again")
    return 0


async def _replay_all(letter_id: str) -> int:
    config = settings_module.load()
    store, client = Database.of(config), redis_client.connect(config)
    try:
        ids = store.look(dead_letters.unreplayed_ids) if letter_id == "all" else [letter_id]
        for letter in ids:
            await dead_letters.replay(store, client, config.shards, letter)
        return len(ids)
    finally:
        await client.aclose()
        store.close()


def _moment(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(seconds))
