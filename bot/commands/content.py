"""`content validate|publish|versions|export|rollback`: what editors do; see content_review too."""

from __future__ import annotations

import argparse
import asyncio
import getpass
import json
import time
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from bot import settings as settings_module
from bot.commands import content_review
from bot.content import publish
from bot.content.load import load_folder
from bot.content.models import Content
from bot.errors import ContentError, StoreUnavailable
from bot.processes import prepare
from bot.settings import Settings
from bot.stores import redis_client, redis_keys
from bot.stores.database import Database
from bot.stores.redis_client import guarded
from bot.stores.tables import content_versions

LIVE_TIMEOUT_S = 30.0


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the group."""
    group = commands.add_parser("content", help="check, publish and look at FAQ content")
    verbs = group.add_subparsers(required=True, metavar="VERB")
    validate = verbs.add_parser("validate", help="check the files; change nothing")
    validate.set_defaults(run=_validate)
    publishing = verbs.add_parser("publish", help="make the files the live version")
    publishing.add_argument("--force", action="store_true", help="even if another version is live")
    publishing.add_argument(
        "--if-none",
        action="store_true",
        help="only if nothing was ever published",
    )
    publishing.add_argument("--note", default="", help="a word for the list of versions")
    publishing.set_defaults(run=_publish)
    versions = verbs.add_parser("versions", help="list the published versions")
    versions.add_argument("--json", action="store_true")
    versions.set_defaults(run=_versions)
    rollback = verbs.add_parser("rollback", help="make an earlier version live again")
    rollback.add_argument("number", type=int)
    rollback.set_defaults(run=_rollback)
    export = verbs.add_parser("export", help="write a version into FAQ files")
    export.add_argument("folder", type=Path)
    export.add_argument("--version", type=int, help="default: the live one")
    export.add_argument(
        "--nlu", action="store_true", help="write examples as Rasa's NLU data, for `rasa test nlu`"
    )
    export.set_defaults(run=_export)
    content_review.add(verbs, go_live)
    for verb in (validate, publishing):
        verb.add_argument("folder", nargs="?", type=Path, help="default: data/faq")


def _validate(options: argparse.Namespace) -> int:
    config = settings_module.load()
    folder = options.folder or config.data_dir / "faq"
    content = load_folder(folder, config.languages)
    examples = sum(len(texts) for e in content.entries for texts in e.examples.values())
    topics = len({entry.topic for entry in content.entries})
    print(
        f"{folder}: {len(content.entries)} entries in {topics} topics, {examples} examples, "
        f"answers in {', '.join(config.languages)}: all well"
    )
    return 0


def _publish(options: argparse.Namespace) -> int:
    config = settings_module.load()
    folder = options.folder or config.data_dir / "faq"
    content = load_folder(folder, config.languages)
    if options.if_none and (live := _live(config)):
        print(f"version {live} is live and stays so")
        return 0
    return go_live(
        config,
        content,
        folder=folder,
        based_on=publish.base_of(config.state_dir, folder),
        force=options.force,
        note=options.note,
    )


def _live(config: Settings) -> int:
    """Number of the live version, once the tables are there; 0 if there is none."""
    prepare.database(config)
    store = Database.of(config)
    try:
        return store.call(publish.live_number)
    finally:
        store.close()


def _rollback(options: argparse.Namespace) -> int:
    config = settings_module.load()
    prepare.database(config)
    store = Database.of(config)
    try:
        found = store.call(lambda c: publish.read(c, options.number))
        live = store.call(publish.live_number)
    finally:
        store.close()
    if found is None:
        raise ContentError([f"there is no version {options.number}; see `content versions`"])
    return go_live(
        config,
        Content(found.entries),
        folder=None,
        based_on=live,
        force=False,
        note=f"rollback to version {options.number}",
    )


def go_live(
    config: Settings,
    content: Content,
    *,
    folder: Path | None,
    based_on: int | None,
    force: bool,
    note: str,
) -> int:
    """Publish, move the mirror and wait for the engines; raises as `publish.write` does.

    Args:
        folder: Remembered as in step with the new version; None for content from no folder.
    """
    started = time.monotonic()
    prepare.database(config)
    store = Database.of(config)
    try:
        before = store.call(publish.live_number)
        written = store.call(
            lambda c: publish.write(
                c, content, based_on=based_on, force=force, author=getpass.getuser(), note=note
            )
        )
    finally:
        store.close()
    if folder:
        publish.remember_base(config.state_dir, folder, written.number)
    is_running = redis_client.answers(redis_client.address(config))
    # Also where nothing differs: whoever published it may have died before the engines heard of it.
    engines = asyncio.run(_announce(config, written.number)) if is_running else 0
    if written.number == before:
        print(f"nothing differs from version {before}, which is live")
    elif is_running:
        took = time.monotonic() - started
        told = f"answered by {engines} engines" if engines else "no engine is running"
        print(f"version {written.number} is live after {took:.1f} s, {told}")
    else:
        print(f"version {written.number} is published; nothing is running, the next start uses it")
    return 0


async def _announce(config: Settings, number: int) -> int:
    """Move the mirror and wait until every live engine answers from the version."""
    client = redis_client.connect(config)
    try:
        await publish.announce(client, number)
        deadline = time.monotonic() + LIVE_TIMEOUT_S
        while True:
            names: list[Any] = await guarded(
                client.zrangebyscore(redis_keys.holders("engine"), time.time(), "+inf")
            )
            ready: Any = await guarded(client.hgetall(redis_keys.CONTENT_READY))
            # One that answers from a later version, published meanwhile, is not behind.
            behind = [n for n in names if json.loads(ready.get(n, "{}")).get("version", 0) < number]
            if not behind:
                return len(names)
            if time.monotonic() > deadline:
                raise StoreUnavailable(
                    "engine",
                    f"{', '.join(behind)} still answer from an older version; look at their logs",
                )
            await asyncio.sleep(0.02)
    finally:
        await client.aclose()


def _versions(options: argparse.Namespace) -> int:
    config = settings_module.load()
    prepare.database(config)
    store = Database.of(config)
    c = content_versions.c
    try:
        live = store.call(publish.live_number)
        rows = store.call(
            lambda connection: (
                connection.execute(
                    sa.select(
                        c.number, c.based_on, c.author, c.note, c.created_at, c.digest
                    ).order_by(c.number.desc())
                )
                .mappings()
                .all()
            )
        )
    finally:
        store.close()
    if options.json:
        print(json.dumps([{**row, "live": row["number"] == live} for row in rows]))
        return 0
    for row in rows:
        when = time.strftime("%Y-%m-%d %H:%M", time.gmtime(row["created_at"]))
        mark = "live" if row["number"] == live else "    "
        print(f"{row['number']:>5} {mark}  {when} UTC  {row['author']}  {row['note']}")
    return 0


def _export(options: argparse.Namespace) -> int:
    from bot.content.export import write_folder, write_nlu

    config = settings_module.load()
    prepare.database(config)
    store = Database.of(config)
    try:
        number = options.version or store.call(publish.live_number)
        content = store.call(lambda c: publish.read(c, number))
    finally:
        store.close()
    if content is None:
        raise ContentError([f"there is no version {number}; see `content versions`"])
    if options.nlu:
        files = write_nlu(content, options.folder)
        print(f"examples of version {number} written to {files} files in {options.folder}")
        return 0
    files = write_folder(content, options.folder)
    publish.remember_base(config.state_dir, options.folder, number)
    print(f"version {number} written to {files} files in {options.folder}")
    return 0
