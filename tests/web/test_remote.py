"""Whom a request is counted for."""

from __future__ import annotations

import pytest

from bot.errors import ConfigurationError
from bot.remote import client_address, counted_as, is_trusted
from bot.settings import load

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
