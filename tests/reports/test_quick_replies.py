"""How quick replies are used, and the three ways to print it."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest

from bot import __main__ as command_line
from bot.events import Event
from bot.reports.base import Filters
from bot.reports.formats import BOM
from bot.reports.quick_replies import REPORT, read_usage
from bot.settings import Settings
from bot.stores.database import Database
from bot.stores.event_log import write_events


def _shown(n: int, *entries: str, language: str = "en", channel: str = "webchat") -> Event:
    replies = [{"entry": e, "action": "", "position": p} for p, e in enumerate(entries)]
    replies.append({"entry": "", "action": "person", "position": len(entries)})
    return Event(
        id=f"shown-{n}-{language}",
        type="quick-reply.shown",
        language=language,
        channel=channel,
        data={"replies": replies},
    )


def _tapped(n: int, entry: str, *, language: str = "en", **data: Any) -> Event:
    return Event(
        id=f"tapped-{n}",
        type="quick-reply.tapped",
        language=language,
        channel="webchat",
        data={"entry": entry, **data},
    )


@pytest.fixture
def used(database: Database) -> Database:
    rows = [
        _shown(1, "refund-time", "order-status"),
        _shown(2, "refund-time"),
        _shown(3, "refund-time", language="hi"),
        _shown(4, "order-status", channel="rest"),
        _tapped(1, "refund-time"),
        _tapped(2, "refund-time", typed=True),
        _tapped(3, "gone-entry"),
        _tapped(4, "", action="person"),
    ]
    database.call(lambda c: write_events(c, rows))
    return database


def _row(name: str, shown: int, tapped: int, typed: int, **more: Any) -> dict[str, Any]:
    share = round(tapped / shown, 3) if shown else None
    return {
        "quick_reply": name,
        "language": "en",
        "channel": "webchat",
        "shown": shown,
        "tapped": tapped,
        "typed": typed,
        "taps_per_showing": share,
        **more,
    }


def test_most_tapped_first_never_tapped_last(used: Database) -> None:
    assert used.call(lambda c: read_usage(c, Filters())) == [
        _row("refund-time", 2, 2, 1),
        _row("person", 2, 1, 0),
        _row("gone-entry", 0, 1, 0),
        _row("order-status", 1, 0, 0, channel="rest"),
        _row("order-status", 1, 0, 0),
        _row("person", 1, 0, 0, channel="rest"),
        _row("person", 1, 0, 0, language="hi"),
        _row("refund-time", 1, 0, 0, language="hi"),
    ]


def test_one_language_and_one_channel(used: Database) -> None:
    rows = used.call(lambda c: read_usage(c, Filters(language="hi")))
    assert {row["language"] for row in rows} == {"hi"}
    rows = used.call(lambda c: read_usage(c, Filters(channel="rest")))
    assert {row["channel"] for row in rows} == {"rest"}


@pytest.fixture
def printed(
    used: Database,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Any:
    monkeypatch.setenv("SAMVAD_STATE_DIR", str(settings.state_dir))
    monkeypatch.setenv("DATABASE_URL", used.engine.url.render_as_string(hide_password=False))

    def run(*options: str) -> str:
        assert command_line.main(["report", "quick-replies", *options]) == 0
        return capsys.readouterr().out

    return run


def test_json_is_the_same_rows(printed: Any, used: Database) -> None:
    assert json.loads(printed("--json")) == used.call(lambda c: read_usage(c, Filters()))


def test_csv_has_a_header_and_a_line_each(printed: Any, used: Database) -> None:
    text = printed("--csv")
    assert text.startswith(BOM)
    rows = list(csv.DictReader(io.StringIO(text.removeprefix(BOM))))
    assert tuple(rows[0]) == REPORT.column_names
    assert [row["quick_reply"] for row in rows] == [
        row["quick_reply"] for row in used.call(lambda c: read_usage(c, Filters()))
    ]
    assert rows[0]["taps_per_showing"] == "1.0"


def test_the_table_lines_up(printed: Any) -> None:
    header, first, *_ = printed("--language", "hi").splitlines()
    assert header.split() == list(REPORT.column_names)
    assert header.index("language") == first.index("hi")


def test_with_nothing_shown_yet_it_says_so(printed: Any) -> None:
    assert "(nothing yet)" in printed("--language", "xx")
