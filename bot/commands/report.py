"""`report quick-replies` and `users`: what supervisors ask."""

from __future__ import annotations

import argparse
import csv
import getpass
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from bot import settings as settings_module
from bot.processes import prepare
from bot.stores.database import Database


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add both groups."""
    group = commands.add_parser("report", help="figures from the event log")
    names = group.add_subparsers(required=True, metavar="NAME")
    quick = names.add_parser("quick-replies", help="most used, taps per showing, never tapped")
    quick.add_argument("--csv", action="store_true", help="comma-separated")
    quick.add_argument("--json", action="store_true", help="a JSON list")
    quick.add_argument("--language", default="", help="only this language")
    quick.add_argument("--channel", default="", help="only this channel")
    quick.set_defaults(run=_quick_replies)
    users = commands.add_parser("users", help="agents and admins of the desk")
    verbs = users.add_subparsers(required=True, metavar="VERB")
    adding = verbs.add_parser("add", help="create a login; asks for the password")
    adding.add_argument("login")
    adding.add_argument("--name", default="")
    adding.add_argument("--role", choices=("agent", "supervisor", "admin"), default="agent")
    adding.set_defaults(run=_add_user)


def _quick_replies(options: argparse.Namespace) -> int:
    from bot.reports.quick_replies import COLUMNS, read_usage

    config = settings_module.load()
    prepare.database(config)
    store = Database.of(config)
    try:
        rows = store.call(
            lambda c: read_usage(c, language=options.language, channel=options.channel)
        )
    finally:
        store.close()
    write(rows, COLUMNS, as_csv=options.csv, as_json=options.json)
    return 0


def write(
    rows: Sequence[Mapping[str, Any]], columns: Sequence[str], *, as_csv: bool, as_json: bool
) -> None:
    """Print rows as a table, CSV or JSON."""
    if as_json:
        print(json.dumps(list(rows), ensure_ascii=False))
        return
    if as_csv:
        writer = csv.DictWriter(sys.stdout, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
        return
    cells = [[str(row.get(c, "")) for c in columns] for row in rows]
    widths = [
        max(len(c), *(len(line[i]) for line in cells), 0) if cells else len(c)
        for i, c in enumerate(columns)
    ]
    for line in [list(columns), *cells]:
        print(
            "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
        )
    if not rows:
        print("(nothing yet)")


def _add_user(options: argparse.Namespace) -> int:
    from bot.desk.people.users import add_user

    config = settings_module.load()
    prepare.database(config)
    password = getpass.getpass("Password: ") if sys.stdin.isatty() else sys.stdin.readline().strip()
    store = Database.of(config)
    try:
        store.call(
            lambda c: add_user(
                c,
                login=options.login,
                name=options.name or options.login,
                role=options.role,
                password=password,
            )
        )
    finally:
        store.close()
    print(f"{options.role} {options.login} can log in")
    return 0
