"""Lines that strangers can cause are written once and counted from then on."""

from __future__ import annotations

import structlog
from edge_wire import Served, ask, request

from bot.web import tally
from bot.web.tally import TALLY, Tally


async def test_the_first_line_comes_at_once_and_the_others_as_a_number() -> None:
    lines = Tally()
    with structlog.testing.capture_logs() as told:
        for number in range(1000):
            lines.note("http.refused", code="x", example=f"/{number}")
        lines.note("http.refused", code="y")
        assert [line.get("example") for line in told] == ["/0", None]
        lines.write()
        lines.note("http.refused", code="x", example="/again")
    assert told[2:] == [
        {"event": "http.refused", "log_level": "info", "code": "x", "more": 999},
        {"event": "http.refused", "log_level": "info", "code": "x", "example": "/again"},
    ]


async def test_kinds_are_limited_and_traces_are_written_once() -> None:
    lines = Tally()
    with structlog.testing.capture_logs() as told:
        for _ in range(3):
            lines.note("http.failed", error=ValueError("no"))
        for number in range(2 * tally.MOST_KINDS):
            lines.note("odd", code=number)
        lines.write()
    assert len([line for line in told if line["event"] == "odd"]) == tally.MOST_KINDS - 1
    failed = [line for line in told if line["event"] == "http.failed"]
    assert ["exc_info" in line for line in failed] == [True, False]
    assert failed[1]["more"] == 2


async def test_a_stranger_cannot_fill_the_log(ingress: Served, desk: Served) -> None:
    TALLY.write()
    with structlog.testing.capture_logs() as told:
        for number in range(30):
            await ask(ingress.port, request("GET", f"/webchat/static/{number}/{number}"))
            await ask(ingress.port, request("POST", f"/webhooks/telegram/{number}/webhook"))
            await ask(ingress.port, request("POST", "/webhooks/webchat/message", b"{"))
            await ask(ingress.port, request("POST", "/webhooks/rest/webhook", b"{"))
            await ask(ingress.port, request("GET", f"/{number}"))
            await ask(desk.port, request("GET", f"/conversations/{number}"))
            await ask(desk.port, request("POST", f"/conversations/{number}/claim"))
            await ask(desk.port, request("POST", "/login", b"%ff"))
    assert len(told) < 20, [line["event"] for line in told]
