"""`customer export|erase`: what is kept about one customer."""

from __future__ import annotations

import argparse
import asyncio
import json

from bot import customer, redis_client
from bot import settings as settings_module
from bot.commands import prepare
from bot.database import Database

NAME = "customer id, conversation id, or channel:vendor-user"


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the group."""
    group = commands.add_parser("customer", help="hand out or erase what is kept about a customer")
    verbs = group.add_subparsers(required=True, metavar="VERB")
    exporting = verbs.add_parser("export", help="print everything as JSON")
    exporting.add_argument("id", help=NAME)
    exporting.set_defaults(run=_export)
    erasing = verbs.add_parser("erase", help="erase words and identity everywhere, for good")
    erasing.add_argument("id", help=NAME)
    erasing.set_defaults(run=_erase)


def _export(options: argparse.Namespace) -> int:
    config = settings_module.load()
    prepare.database(config)
    store = Database.of(config)
    try:
        told = store.look(lambda c: customer.export(c, customer.find(c, options.id)))
    finally:
        store.close()
    print(json.dumps(told, ensure_ascii=False, indent=2))
    return 0


def _erase(options: argparse.Namespace) -> int:
    config = settings_module.load()
    prepare.database(config)
    server = redis_client.ensure(config)
    try:
        erased = asyncio.run(_erase_one(options.id))
    finally:
        if server:
            server.stop()
    print(
        f"erased: {erased.conversations} conversations, {erased.rows} rows,"
        f" {erased.entries} entries in Redis"
    )
    return 0


async def _erase_one(name: str) -> customer.Erased:
    config = settings_module.load()
    store, client = Database.of(config), redis_client.connect(config)
    try:
        found = await store.read(lambda c: customer.find(c, name))
        return await customer.erase(store, client, config.shards, found, by="command-line")
    finally:
        await client.aclose()
        store.close()
