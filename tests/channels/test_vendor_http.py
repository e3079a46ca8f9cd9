"""Calls to vendors: what their answers ask for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from vendors.serving import serving

from channels.kit.meta.graph import refusal
from channels.kit.vendor_http import LONGEST_WAIT_S, RETRY_AFTER, VendorHttp, asked_to_wait


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        (" 0 ", 0.0),
        ("999999", LONGEST_WAIT_S),
        ("", None),
        ("soon", None),
        ("-3", None),
        ("1.5", None),
        ("٣", None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
    ],
)
def test_seconds_of_a_header(header: str, seconds: float | None) -> None:
    assert asked_to_wait(header) == seconds


def test_a_moment_is_counted_from_now() -> None:
    told = asked_to_wait(format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True))
    assert told is not None
    assert 50 < told <= 100


@given(st.text())
def test_no_header_is_an_error(header: str) -> None:
    told = asked_to_wait(header)
    assert told is None or 0 <= told <= LONGEST_WAIT_S


async def test_messenger_waits_as_long_as_it_is_asked_to() -> None:
    class Limited:
        url = ""

        def make_app(self) -> web.Application:
            async def answer(_: web.Request) -> web.Response:
                body = {"error": {"code": 613}}
                return web.json_response(body, status=429, headers={"Retry-After": "3"})

            app = web.Application()
            app.router.add_post("/", answer)
            return app

    limited, http = Limited(), VendorHttp(5.0)
    async with serving(limited):
        status, answer = await http.call("POST", f"{limited.url}/", body={})
        await http.aclose()
    failed = refusal(status, answer["error"], answer[RETRY_AFTER])
    assert (failed.reason, failed.permanent, failed.retry_after_s) == ("rate-limited", False, 3.0)
    assert refusal(429, {}).retry_after_s == 30.0
