"""The generator of deliveries sends what Messenger would, and counts from when it was due."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from benchmarks import report
from benchmarks.deliveries import APP_SECRET, PAGE, TOKEN, deliveries
from benchmarks.ingress import PATH, Driver
from bot.settings import load
from channels.facebook.payload import parse

SETTINGS = load(
    {
        "FACEBOOK_APP_SECRET": APP_SECRET,
        "FACEBOOK_VERIFY_TOKEN": "v",
        "FACEBOOK_PAGE_TOKENS": f"{PAGE}={TOKEN}",
    }
)


@pytest.fixture
async def server() -> AsyncIterator[tuple[int, list[bytes]]]:
    """A server that is slow with every third delivery and refuses every fifth."""
    seen: list[bytes] = []

    async def take(request: web.Request) -> web.Response:
        seen.append(await request.read())
        if len(seen) % 3 == 0:
            await asyncio.sleep(0.05)
        return web.Response(status=503 if len(seen) % 5 == 0 else 200, text="x" * len(seen))

    app = web.Application()
    app.router.add_post(PATH, take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield runner.addresses[0][1], seen
    await runner.cleanup()


def test_each_delivery_has_one_new_message_with_a_right_signature() -> None:
    bodies = [one.partition(b"\r\n\r\n")[2] for one in deliveries(50, PATH)]
    found = [event for body in bodies for event in parse(json.loads(body), SETTINGS, 4e9)]
    assert [event.kind for event in found] == ["message"] * 50
    assert len({event.inbound.id for event in found if event.inbound}) == 50
    assert bodies != [one.partition(b"\r\n\r\n")[2] for one in deliveries(50, PATH)]


async def test_everything_is_sent_and_only_what_counts_is_counted(
    server: tuple[int, list[bytes]],
) -> None:
    port, seen = server
    driver = Driver([port], deliveries(40, PATH), rate=2000.0, warm=10)
    await driver.run()
    assert len(seen) == 40
    assert len(driver.latencies_s) == sum(driver.statuses.values()) == 30
    assert set(driver.statuses) == {200, 503}


def test_the_page_has_a_row_for_each_way_also_where_one_failed() -> None:
    measured: dict[str, Any] = {
        "sent_per_s": 999.0,
        "p50_ms": 2.0,
        "p95_ms": 5.0,
        "p99_ms": 9.0,
        "max_ms": 20.0,
        "refused": 0,
        "cpu_ms_per_delivery": {"ingress-0": 0.2, "ingress-1": 0.3, "valkey": 9.0},
    }
    part = {"rate": 1000.0, "one": measured, "busy": {"failed": "no"}}
    page = report.page({"parts": {"ingress": part}})
    assert "| one ingress process | 999.0 | 2.0 | 5.0 | 9.0 | 20.0 | 0.50 | 0 |" in page
    assert "| two ingress processes | not measured" in page
    assert "off | failed | failed" in page
