"""`content VERB`: validate, publish, export and compare FAQ content."""

from __future__ import annotations

import argparse
import asyncio
import getpass
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TypeVar

import redis.asyncio
from sqlalchemy.engine import Connection

from bot import settings as settings_module
from bot.commands.report import add_formats
from bot.content import diff, parity, publishing, versions
from bot.content.diff import Change
from bot.content.load import load_folder
from bot.content.models import Content
from bot.content.publishing import Published
from bot.processes import prepare
from bot.reports.formats import as_text
from bot.settings import Settings
from bot.stores import redis_client
from bot.stores.database import Database

Result = TypeVar("Result")
Work = Callable[[Database, redis.asyncio.Redis | None], Awaitable[Published]]
DAY_S = 86400


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the group."""
    group = commands.add_parser("content", help="check, publish and look at FAQ content")
    verbs = group.add_subparsers(required=True, metavar="VERB")
    _add_publishing(verbs)
    _add_looking(verbs)


def _add_publishing(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    validate = verbs.add_parser("validate", help="check the files; change nothing")
    validate.set_defaults(run=_validate)
    publish = verbs.add_parser("publish", help="make the files the live version")
    publish.add_argument(
        "--if-none", action="store_true", help="only if nothing was ever published"
    )
    publish.set_defaults(run=_publish)
    for verb in (validate, publish):
        verb.add_argument("folder", nargs="?", type=Path, help="default: data/faq")
    importing = verbs.add_parser("import", help="show what a folder changes, and publish it")
    importing.add_argument("folder", type=Path)
    importing.add_argument("--dry-run", action="store_true", help="only show; change nothing")
    importing.set_defaults(run=_import)
    for verb in (publish, importing):
        verb.add_argument("--force", action="store_true", help="even if another version is live")
        verb.add_argument("--note", default="", help="a word for the list of versions")
    rollback = verbs.add_parser("rollback", help="make an earlier version live again")
    rollback.add_argument("number", type=int)
    rollback.set_defaults(run=_roll_back)


def _add_looking(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    listing = verbs.add_parser("versions", help="list the published versions")
    listing.add_argument("--json", action="store_true")
    listing.set_defaults(run=_versions)
    export = verbs.add_parser("export", help="write a version into FAQ files")
    export.add_argument("folder", type=Path)
    export.add_argument("--version", type=int, help="default: the live one")
    export.add_argument(
        "--nlu", action="store_true", help="write examples as Rasa's NLU data, for `rasa test nlu`"
    )
    export.set_defaults(run=_export)
    differing = verbs.add_parser("diff", help="what differs between two versions")
    differing.add_argument("before", nargs="?", type=int, help="default: the one before `after`")
    differing.add_argument("after", nargs="?", type=int, help="default: the live one")
    differing.add_argument("--json", action="store_true", help="a JSON list, texts in full")
    differing.set_defaults(run=_diff)
    checking = verbs.add_parser("parity", help="gaps, answers left behind, questions unanswered")
    add_formats(checking)
    checking.add_argument("--days", type=float, default=0.0, help="count only the last days")
    checking.set_defaults(run=_parity)


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
    if options.if_none and (live := _read(config, versions.live_number)):
        print(f"version {live} is live and stays so")
        return 0
    return _publish_folder(config, content, folder, options.force, options.note)


def _import(options: argparse.Namespace) -> int:
    config = settings_module.load()
    content = load_folder(options.folder, config.languages)
    _print_changes(_read(config, lambda c: publishing.changes_to(c, content)))
    if options.dry_run:
        return 0
    note = options.note or f"import of {options.folder.name}"
    return _publish_folder(config, content, options.folder, options.force, note)


def _roll_back(options: argparse.Namespace) -> int:
    def work(database: Database, client: redis.asyncio.Redis | None) -> Awaitable[Published]:
        return publishing.roll_back(database, client, options.number, author=getpass.getuser())

    return _go_live(settings_module.load(), work)


def _publish_folder(
    config: Settings, content: Content, folder: Path, force: bool, note: str
) -> int:
    def work(database: Database, client: redis.asyncio.Redis | None) -> Awaitable[Published]:
        return publishing.publish(
            database,
            client,
            content,
            based_on=publishing.base_of(config.state_dir, folder),
            force=force,
            author=getpass.getuser(),
            note=note,
            stored=partial(publishing.remember_base, config.state_dir, folder),
        )

    return _go_live(config, work)


def _go_live(config: Settings, work: Work) -> int:
    """Publish, and print the result."""

    async def run() -> Published:
        is_running = redis_client.is_answering(redis_client.address(config))
        client = redis_client.connect(config) if is_running else None
        try:
            return await work(database, client)
        finally:
            if client:
                await client.aclose()

    prepare.database(config)
    database = Database.of(config)
    try:
        published = asyncio.run(run())
    finally:
        database.close()
    if not published.differs:
        print(f"nothing differs from version {published.before}, which is live")
    elif published.engines is None:
        print(
            f"version {published.number} is published; nothing is running, the next start uses it"
        )
    else:
        by = (
            f"answered by {published.engines} engines"
            if published.engines
            else "no engine is running"
        )
        print(f"version {published.number} is live after {published.took_s:.1f} s, {by}")
    return 0


def _versions(options: argparse.Namespace) -> int:
    rows = _read(settings_module.load(), versions.list_versions)
    if options.json:
        print(json.dumps([asdict(row) for row in rows]))
        return 0
    for row in rows:
        when = time.strftime("%Y-%m-%d %H:%M", time.gmtime(row.created_at))
        mark = "live" if row.live else "    "
        print(f"{row.number:>5} {mark}  {when} UTC  {row.author}  {row.note}")
    return 0


def _export(options: argparse.Namespace) -> int:
    from bot.content.export import write_folder, write_nlu

    config = settings_module.load()
    number = options.version or _read(config, versions.live_number)
    content = _read(config, lambda c: publishing.read_existing(c, number))
    if options.nlu:
        files = write_nlu(content, options.folder)
        print(f"examples of version {number} written to {files} files in {options.folder}")
        return 0
    files = write_folder(content, options.folder)
    publishing.remember_base(config.state_dir, options.folder, number)
    print(f"version {number} written to {files} files in {options.folder}")
    return 0


def _diff(options: argparse.Namespace) -> int:
    before, after = options.before, options.after
    changes = _read(settings_module.load(), lambda c: publishing.changes_between(c, before, after))
    _print_changes(changes, "json" if options.json else "table")
    return 0


def _parity(options: argparse.Namespace) -> int:
    config = settings_module.load()
    since = time.time() - options.days * DAY_S if options.days else 0.0
    findings = _read(config, lambda c: parity.report(c, config.languages, since=since))
    rows = [finding.to_row() for finding in findings]
    print(as_text(rows, parity.COLUMNS, options.format), end="")
    return 0


def _print_changes(changes: list[Change], kind: str = "table") -> None:
    print(as_text([change.to_row() for change in changes], diff.COLUMNS, kind), end="")


def _read(config: Settings, work: Callable[[Connection], Result]) -> Result:
    """Read from the database, after creating missing tables."""
    prepare.database(config)
    store = Database.of(config)
    try:
        return store.look(work)
    finally:
        store.close()
