"""Bodies are read within bounds, and not at all where the rest of a request is wrong already."""

from __future__ import annotations

import gzip
import json

import pytest
from edge_wire import BOT_SECRET, Served, Told, ask, connect, request, until

from bot.errors import TooBusy
from bot.web import bodies
from bot.web.bodies import Room

TELEGRAM = "/webhooks/telegram/MelaBot/webhook"
FACEBOOK = "/webhooks/facebook/webhook"
SIGNED = {"X_Hub_Signature_256": "sha256=" + "0" * 64}
KNOWN = {"X_Telegram_Bot_Api_Secret_Token": BOT_SECRET}
BIG = {"Content_Length": str(1_000_000)}


def code(told: Told) -> str:
    return str(json.loads(told.body)["error"]["code"])


@pytest.mark.parametrize(
    ("path", "headers", "status", "why"),
    [
        ("/webhooks/telegram/Nobody/webhook", KNOWN, 404, "unknown-bot"),
        (TELEGRAM, {}, 403, "wrong-secret"),
        (FACEBOOK, {}, 401, "wrong-signature"),
        (FACEBOOK, {"X_Hub_Signature_256": "sha256=00"}, 401, "wrong-signature"),
        (FACEBOOK, {"X_Hub_Signature_256": "sha1=" + "0" * 40}, 401, "wrong-signature"),
        ("/webhooks/webchat/message", {}, 401, "not-authenticated"),
        ("/webhooks/webchat/erase", {}, 401, "not-authenticated"),
    ],
)
async def test_what_the_head_of_a_request_gives_away_is_checked_before_its_body(
    ingress: Served, path: str, headers: dict[str, str], status: int, why: str
) -> None:
    """The body never comes: who reads first would wait for it."""
    told = await ask(ingress.port, request("POST", path, **BIG, **headers))
    assert (told.status, code(told)) == (status, why)


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        (FACEBOOK, SIGNED),
        (TELEGRAM, KNOWN),
        ("/webhooks/rest/webhook", {}),
        ("/webhooks/webchat/session", {}),
    ],
)
async def test_a_compressed_body_is_refused_unread(
    ingress: Served, path: str, headers: dict[str, str]
) -> None:
    body = gzip.compress(b"[" + b" " * 100_000 + b"]")
    told = await ask(ingress.port, request("POST", path, body, Content_Encoding="gzip", **headers))
    assert (told.status, code(told)) == (415, "encoded-body")


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "gzip, gzip", "x"])
async def test_the_login_takes_no_compressed_form(desk: Served, encoding: str) -> None:
    form = {"Content_Type": "application/x-www-form-urlencoded", "Content_Encoding": encoding}
    told = await ask(desk.port, request("POST", "/login", b"a=b", **form))
    assert told.status in (400, 415)


async def test_a_webhook_takes_no_more_than_a_megabyte(ingress: Served) -> None:
    told = await ask(ingress.port, request("POST", FACEBOOK, Content_Length="1048577", **SIGNED))
    assert (told.status, code(told)) == (413, "body-too-large")


async def test_a_body_in_pieces_is_measured_as_it_comes(ingress: Served) -> None:
    piece = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    wire = await connect(ingress.port)
    head = request("POST", FACEBOOK, Transfer_Encoding="chunked", **SIGNED)
    await wire.send(head.replace(b"Content-Length: 0\r\n", b""))
    for _ in range(17):
        await wire.send(piece)
    told = await wire.answer()
    assert (told.status, code(told)) == (413, "body-too-large")
    wire.close()


@pytest.mark.parametrize(
    ("path", "headers"),
    [(FACEBOOK, SIGNED), (TELEGRAM, KNOWN), ("/webhooks/webchat/session", {})],
)
async def test_a_body_that_does_not_come_is_given_up(
    ingress: Served, path: str, headers: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "BODY_S", 0.1)
    told = await ask(ingress.port, request("POST", path, Content_Length="100", **headers) + b"{")
    assert (told.status, code(told)) == (408, "too-slow")
    assert bodies.ROOM.taken == 0


async def test_a_login_that_does_not_come_is_given_up(
    desk: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "BODY_S", 0.1)
    form = {"Content_Type": "application/x-www-form-urlencoded", "Content_Length": "100"}
    told = await ask(desk.port, request("POST", "/login", **form) + b"login=")
    assert told.status == 408
    assert "Content-Security-Policy" in told.headers


async def test_all_bodies_under_way_together_are_bounded(
    ingress: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "ROOM", Room(most=300_000, small=10_000, kept_for_small=20_000))
    waiting = []
    for _ in range(2):
        wire = await connect(ingress.port)
        await wire.send(request("POST", FACEBOOK, Content_Length="131000", **SIGNED))
        await wire.send(b"x" * 130_000)
        waiting.append(wire)
    await until(lambda: bodies.ROOM.taken == 260_000)
    told = await ask(ingress.port, request("POST", FACEBOOK, b"x" * 130_000, **SIGNED))
    assert (told.status, code(told)) == (503, "busy")
    assert int(told.headers["Retry-After"]) > 0
    # There is room for an ordinary message all the while.
    told = await ask(ingress.port, request("POST", "/webhooks/webchat/session", b'{"site":"demo"}'))
    assert told.status == 200
    for wire in waiting:
        await wire.send(b"x" * 1_000)
        assert (await wire.answer()).status == 401
        wire.close()
    assert bodies.ROOM.taken == 0, "what has been read no longer counts"


async def test_a_connection_that_ends_gives_its_room_back(ingress: Served) -> None:
    wire = await connect(ingress.port)
    await wire.send(request("POST", FACEBOOK, Content_Length="200000", **SIGNED) + b"x" * 70_000)
    await until(lambda: bodies.ROOM.taken)
    wire.close()
    await until(lambda: not bodies.ROOM.taken)


def test_large_bodies_leave_room_for_small_ones() -> None:
    room = Room(most=100, small=10, kept_for_small=30)
    room.take(60, 0)
    with pytest.raises(TooBusy):
        room.take(11, 0)
    for _ in range(4):
        room.take(10, 0)
    with pytest.raises(TooBusy):
        room.take(1, 0)
    room.give_back(100)
    room.take(11, 0)
    assert room.taken == 11
