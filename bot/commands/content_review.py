"""`content diff|parity|import`: what editors look at, and files that come from elsewhere."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from bot import settings as settings_module
from bot.commands.report import write
from bot.content import diff, parity, publish
from bot.content.load import load_folder
from bot.content.models import Content
from bot.errors import ContentError
from bot.processes import prepare
from bot.settings import Settings
from bot.stores.database import Database
from bot.stores.tables import content_versions

Result = TypeVar("Result")
Publish = Callable[..., int]
DAY_S = 86400


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser], go_live: Publish) -> None:
    """Add the verbs.

    Args:
        go_live: `bot.commands.content.go_live`.
    """
    differing = verbs.add_parser("diff", help="what differs between two versions")
    differing.add_argument("before", nargs="?", type=int, help="default: the one before `after`")
    differing.add_argument("after", nargs="?", type=int, help="default: the live one")
    differing.add_argument("--json", action="store_true", help="a JSON list, texts in full")
    differing.set_defaults(run=_diff)
    checking = verbs.add_parser("parity", help="gaps, answers left behind, questions unanswered")
    checking.add_argument("--csv", action="store_true", help="comma-separated")
    checking.add_argument("--json", action="store_true", help="a JSON list")
    checking.add_argument("--days", type=float, default=0.0, help="count only the last days")
    checking.set_defaults(run=_parity)
    importing = verbs.add_parser("import", help="show what a folder changes, and publish it")
    importing.add_argument("folder", type=Path)
    importing.add_argument("--dry-run", action="store_true", help="only show; change nothing")
    importing.add_argument("--force", action="store_true", help="even if another version is live")
    importing.add_argument("--note", default="", help="a word for the list of versions")
    importing.set_defaults(run=lambda options: _import(options, go_live))


def _diff(options: argparse.Namespace) -> int:
    before, after = _ask(settings_module.load(), lambda c: _versions(c, options))
    rows = [change.to_row() for change in diff.compare(before, after)]
    write(rows, diff.COLUMNS, as_csv=False, as_json=options.json)
    return 0


def _versions(connection: Connection, options: argparse.Namespace) -> tuple[Content, Content]:
    after = publish.live_number(connection) if options.after is None else options.after
    before = options.before
    if before is None:
        before = connection.execute(
            sa.select(content_versions.c.based_on).where(content_versions.c.number == after)
        ).scalar_one_or_none()
    return _version(connection, before or 0), _version(connection, after)


def _version(connection: Connection, number: int) -> Content:
    """A version; number 0 is the time before the first one."""
    found = publish.read(connection, number) if number else Content(())
    if found is None:
        raise ContentError([f"there is no version {number}; see `content versions`"])
    return found


def _parity(options: argparse.Namespace) -> int:
    config = settings_module.load()
    since = time.time() - options.days * DAY_S if options.days else 0.0
    found = _ask(config, lambda c: parity.report(c, config.languages, since=since))
    rows = [finding.to_row() for finding in found]
    if options.csv:
        # A question may begin the way a formula does; a spreadsheet would run it.
        rows = [{**row, "detail": _inert(str(row["detail"]))} for row in rows]
    write(rows, parity.COLUMNS, as_csv=options.csv, as_json=options.json)
    return 0


def _import(options: argparse.Namespace, go_live: Publish) -> int:
    config = settings_module.load()
    content = load_folder(options.folder, config.languages)
    live = _ask(config, lambda c: _version(c, publish.live_number(c)))
    write(
        [change.to_row() for change in diff.compare(live, content)],
        diff.COLUMNS,
        as_csv=False,
        as_json=False,
    )
    if options.dry_run:
        return 0
    return go_live(
        config,
        content,
        folder=options.folder,
        based_on=publish.base_of(config.state_dir, options.folder),
        force=options.force,
        note=options.note or f"import of {options.folder.name}",
    )


def _ask(config: Settings, work: Callable[[Connection], Result]) -> Result:
    prepare.database(config)
    store = Database.of(config)
    try:
        return store.look(work)
    finally:
        store.close()


def _inert(text: str) -> str:
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
