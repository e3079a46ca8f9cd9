"""`report NAME`: print a report; every report of the registry is a name."""

from __future__ import annotations

import argparse
import time
from functools import partial

from bot import settings as settings_module
from bot.processes import prepare
from bot.reports import registry
from bot.reports.base import Filter, Filters, Report
from bot.reports.formats import FORMATS, as_text
from bot.stores.database import Database

DAY_S = 86400


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the group."""
    group = commands.add_parser("report", help="figures from the event log")
    names = group.add_subparsers(required=True, metavar="NAME")
    for report in registry.REPORTS:
        parser = names.add_parser(report.name, help=report.title)
        add_formats(parser)
        if Filter.PERIOD in report.filters:
            parser.add_argument("--days", type=float, default=0.0, help="only the last days")
        if Filter.LANGUAGE in report.filters:
            parser.add_argument("--language", default="", help="only this language")
        if Filter.CHANNEL in report.filters:
            parser.add_argument("--channel", default="", help="only this channel")
        parser.set_defaults(run=partial(_print, report))


def add_formats(parser: argparse.ArgumentParser) -> None:
    """Add the options for the output format to a command that prints rows."""
    either = parser.add_mutually_exclusive_group()
    either.add_argument("--format", choices=FORMATS, default="table", help="how rows are printed")
    either.add_argument(
        "--csv", action="store_const", const="csv", dest="format", help="comma-separated"
    )
    either.add_argument(
        "--json", action="store_const", const="json", dest="format", help="a JSON list"
    )


def _print(report: Report, options: argparse.Namespace) -> int:
    arguments = vars(options)
    filters = Filters(
        since=time.time() - arguments["days"] * DAY_S if arguments.get("days") else 0.0,
        language=arguments.get("language", ""),
        channel=arguments.get("channel", ""),
    )
    config = settings_module.load()
    prepare.database(config)
    store = Database.of(config)
    try:
        rows = store.look(lambda c: report.read(c, filters))
    finally:
        store.close()
    print(as_text(rows, report.column_names, options.format), end="")
    return 0
