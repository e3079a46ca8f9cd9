"""`customer export|erase`: all stored data of one customer."""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

from bot import settings as settings_module
from bot.files.store import FileStore, store_of
from bot.housekeeping import erasure
from bot.processes import prepare
from bot.stores import redis_client
from bot.stores.database import Database

NAME = "customer id, conversation id, or channel:vendor-user"


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the group."""
    group = commands.add_parser("customer", help="hand out or erase what is kept about a customer")
    verbs = group.add_subparsers(required=True, metavar="VERB")
    exporting = verbs.add_parser("export", help="print everything as JSON")
    exporting.add_argument("id", help=NAME)
    exporting.add_argument("--files", type=Path, metavar="FOLDER", help="copy their files to it")
    exporting.set_defaults(run=_export)
    erasing = verbs.add_parser("erase", help="erase words and identity everywhere, for good")
    erasing.add_argument("id", help=NAME)
    erasing.set_defaults(run=_erase)


def _export(options: argparse.Namespace) -> int:
    config = settings_module.load()
    prepare.database(config)
    store = Database.of(config)
    try:
        data = store.look(lambda c: erasure.export(c, erasure.find_customer(c, options.id)))
    finally:
        store.close()
    if options.files:
        rows = [row for conversation in data["conversations"] for row in conversation["files"]]
        asyncio.run(_copy(store_of(config), rows, options.files))
    print(json.dumps(data, ensure_ascii=False, indent=2))
    return 0


async def _copy(store: FileStore, rows: list[dict[str, Any]], folder: Path) -> None:
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    for row in rows:
        if file := await store.open(row["id"]):
            # The id distinguishes two files of one name.
            with file, (folder / f"{row['id']}-{row['name']}").open("wb") as copy:
                shutil.copyfileobj(file, copy)


def _erase(options: argparse.Namespace) -> int:
    config = settings_module.load()
    prepare.database(config)
    server = redis_client.ensure_server(config)
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


async def _erase_one(name: str) -> erasure.Erased:
    config = settings_module.load()
    store, client = Database.of(config), redis_client.connect(config)
    try:
        customer = await store.read(lambda c: erasure.find_customer(c, name))
        return await erasure.erase(
            store, client, config.shards, customer, by="command-line", files=store_of(config)
        )
    finally:
        await client.aclose()
        store.close()
