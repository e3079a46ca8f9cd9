"""Whom a request is counted for."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
import structlog
from aiohttp import web
from edge_wire import Served, ask, request

from bot import health, remote
from bot.errors import ConfigurationError
from bot.remote import client_address, counted_as, is_trusted
from bot.settings import Settings, load
from bot.web.serving import serving

PROXIES = ("10.0.0.0/8", "2001:db8:ffff::/48")


@pytest.mark.parametrize(
    ("forwarded_for", "counted"),
    [
        ("8.8.8.8", "8.8.8.8"),
        ("8.8.8.8:4711", "8.8.8.8"),
        ('"8.8.8.8:4711"', "8.8.8.8"),
        ("::ffff:8.8.8.8", "8.8.8.8"),
        ("[::ffff:8.8.8.8]:4711", "8.8.8.8"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("[2001:db8:1:2:ffff::1]:443", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("1.1.1.1, 8.8.8.8:1, 10.1.1.1:2", "8.8.8.8"),
        ("1.1.1.1, 8.8.8.8, [2001:db8:ffff::7]:9", "8.8.8.8"),
        ("somebody", "unknown"),
        ("8.8.8.8, nobody", "unknown"),
        ("1" * 9000, "unknown"),
    ],
)
def test_an_address_is_counted_without_what_anybody_may_vary(
    forwarded_for: str, counted: str
) -> None:
    assert client_address("10.0.0.5", forwarded_for, PROXIES) == counted
    assert client_address("::ffff:10.0.0.5", forwarded_for, PROXIES) == counted


def test_nobody_is_trusted_unless_told() -> None:
    assert client_address("10.0.0.5", "8.8.8.8", ()) == "10.0.0.5"
    assert client_address("::ffff:9.9.9.9", "8.8.8.8", PROXIES) == "9.9.9.9"
    assert counted_as("2001:db8::1") == counted_as("2001:db8::2") != counted_as("2001:db8:0:1::1")


def test_a_unix_socket_is_trusted_where_any_proxy_is() -> None:
    assert client_address(None, "8.8.8.8", PROXIES) == "8.8.8.8"
    assert client_address(None, "8.8.8.8", ()) == "local"
    assert not is_trusted("nonsense", PROXIES)


def test_a_proxy_that_is_no_address_stops_the_start() -> None:
    with pytest.raises(ConfigurationError, match="TRUSTED_PROXIES"):
        load({"TRUSTED_PROXIES": "10.0.0.0/8 proxy.example"})


async def test_a_proxy_that_nobody_named_is_told_once(
    ingress: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "UNTRUSTED", remote.Untrusted())
    monkeypatch.setattr(health, "KEPT_S", 0.0)
    body = b'{"site": "demo"}'
    session = "/webhooks/webchat/session"
    with structlog.testing.capture_logs() as told:
        await ask(ingress.port, request("POST", session, body))
        assert "untrusted_proxy" not in await report(ingress)
        for _ in range(3):
            await ask(ingress.port, request("POST", session, body, X_Forwarded_For="8.8.8.8"))
    assert [line["address"] for line in told if line["event"] == "proxy.untrusted"] == ["127.0.0.1"]
    assert (await report(ingress))["untrusted_proxy"] == "127.0.0.1"


def test_a_trusted_proxy_is_nothing_to_tell() -> None:
    noticed = remote.Untrusted()
    noticed.note("10.0.0.5", PROXIES)
    assert noticed.address == ""


async def report(server: Served) -> dict[str, Any]:
    """The health page, as seen on the machine itself."""
    found: dict[str, Any] = json.loads((await ask(server.port, request("GET", "/health"))).body)
    return found


STRANGERS: list[dict[str, str]] = [
    {"X_Forwarded_For": "8.8.8.8"},
    {"X_Forwarded_Proto": "https"},
    {"Forwarded": "for=8.8.8.8"},
    {"Via": "1.1 proxy"},
    {"X_Real_IP": "8.8.8.8"},
    {"CF_Connecting_IP": "8.8.8.8"},
    {"Host": "shop.example"},
    {"Host": "127.0.0.1.shop.example"},
    {"Host": "localhost.shop.example:8080"},
    {"Host": ""},
]


async def test_strangers_learn_only_whether_all_is_up(ingress: Served, desk: Served) -> None:
    for server in (ingress, desk):
        for headers in STRANGERS:
            told = await ask(server.port, request("GET", "/health", **headers))
            assert told.status in (400, 503), headers
            if told.status == 503:
                assert json.loads(told.body) == {"ok": False}, headers


@pytest.mark.parametrize("host", ["localhost:8080", "127.0.0.1", "127.0.0.2:1", "[::1]:8080"])
async def test_on_the_same_machine_all_is_told(ingress: Served, desk: Served, host: str) -> None:
    for server in (ingress, desk):
        told = await ask(server.port, request("GET", "/health", Host=host))
        assert {"redis", "database", "engine", "inbox"} <= set(json.loads(told.body))


async def test_the_stores_are_asked_once_a_second_however_many_ask() -> None:
    made = []

    async def make() -> dict[str, Any]:
        made.append(1)
        await asyncio.sleep(0)
        return {"ok": True}

    latest = health.Latest(make)
    await asyncio.gather(*(latest.answer(full=False) for _ in range(50)))
    assert len(made) == 1


@pytest.mark.parametrize(
    ("public_url", "trusted", "told"),
    [
        ("https://chat.example", (), ["proxy.unnamed"]),
        ("https://chat.example", ("10.0.0.0/8",), []),
        ("http://localhost:8080", (), []),
        ("", (), []),
    ],
)
async def test_a_start_behind_a_proxy_without_a_name_is_warned_of(
    tmp_path: Path, public_url: str, trusted: tuple[str, ...], told: list[str]
) -> None:
    settings = Settings(state_dir=tmp_path, public_url=public_url, trusted_proxies=trusted)
    with structlog.testing.capture_logs() as lines:
        async with serving(web.Application(), settings, 0, "INGRESS_PORT"):
            pass
    assert [line["event"] for line in lines if line["event"] == "proxy.unnamed"] == told
