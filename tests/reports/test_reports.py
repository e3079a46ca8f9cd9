"""Reports: a made-up one is a file and a row; each real one keeps what it says of itself."""

from __future__ import annotations

import csv
import io
import json
import re
import time
from collections.abc import Callable
from pathlib import Path

import made_up_report
import pytest

from bot import __main__ as command_line
from bot.events import AnswerSent, Event, Subject
from bot.reports import registry
from bot.reports.base import Filter, Filters, Report
from bot.reports.formats import BOM
from bot.settings import Settings
from bot.stores.database import Database
from bot.stores.event_log import write_events

ROOT = Path(__file__).parents[2]
Print = Callable[..., str]


def _answer(key: str, entry: str, channel: str = "rest", days_ago: float = 0.0) -> Event:
    at = time.time() - days_ago * 86400
    return Event.of(Subject("c", "e", channel, "th"), AnswerSent(entry, 1), key=key, occurred_at=at)


@pytest.fixture
def printed(
    database: Database,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Print:
    """Prints the made-up report, which has a row in the registry for the time of a test."""
    answers = [
        _answer("1", "refund-time"),
        _answer("2", "refund-time", "webchat", days_ago=9),
        _answer("3", "order-status", "webchat"),
    ]
    database.call(lambda c: write_events(c, answers))
    monkeypatch.setattr(registry, "REPORTS", (*registry.REPORTS, made_up_report.REPORT))
    monkeypatch.setenv("SAMVAD_STATE_DIR", str(settings.state_dir))
    monkeypatch.setenv("DATABASE_URL", database.engine.url.render_as_string(hide_password=False))

    def run(*options: str, code: int = 0) -> str:
        assert command_line.main(["report", "answers", *options]) == code
        return capsys.readouterr().out

    return run


def test_a_made_up_report_is_read_by_the_command(printed: Print) -> None:
    rows = json.loads(printed("--format", "json"))
    assert rows == [{"entry": "refund-time", "given": 2}, {"entry": "order-status", "given": 1}]
    assert json.loads(printed("--json")) == rows


def test_it_is_narrowed_by_the_filters_it_names_and_by_no_other(printed: Print) -> None:
    assert json.loads(printed("--json", "--channel", "rest")) == [
        {"entry": "refund-time", "given": 1}
    ]
    assert {row["given"] for row in json.loads(printed("--json", "--days", "7"))} == {1}
    with pytest.raises(SystemExit):
        printed("--language", "th")


def test_it_comes_as_a_table_and_as_csv(printed: Print) -> None:
    head, first, _ = printed().splitlines()
    assert head.split() == ["entry", "given"]
    assert head.index("given") == first.index("2")
    text = printed("--format", "csv")
    assert text == printed("--csv")
    assert next(csv.reader(io.StringIO(text.removeprefix(BOM)))) == ["entry", "given"]


def test_filters_say_what_they_leave_out() -> None:
    assert Filters().of_events() == []
    assert len(Filters(since=1.0, until=2.0, language="th", channel="rest").of_events()) == 4


@pytest.mark.parametrize("report", registry.REPORTS, ids=lambda report: report.name)
def test_a_report_says_what_it_is(report: Report, database: Database) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", report.name)
    assert report.title
    assert all(column.meaning for column in report.columns)
    assert set(report.filters) <= set(Filter)
    if report.chart:
        assert {report.chart.label, report.chart.value} <= set(report.column_names)
    assert list(database.call(lambda c: report.read(c, Filters()))) == []


def test_names_are_unique_and_each_report_has_its_file() -> None:
    names = [report.name for report in registry.REPORTS]
    assert len(names) == len(set(names))
    for name in names:
        assert (ROOT / "bot/reports" / f"{name.replace('-', '_')}.py").exists()


def test_the_page_lists_every_report_with_its_columns() -> None:
    text = (ROOT / "docs/metrics.md").read_text("utf-8")
    table = text.split("\n## Reports\n", 1)[1].split("\n## ", 1)[0]
    rows = [line for line in table.splitlines() if line.startswith("| `")]
    assert rows == [
        f"| `{report.name}` | `{column.name}` | {column.meaning} | {column.unit or '–'} |"
        for report in registry.REPORTS
        for column in report.columns
    ]
