"""Connections that keep us waiting are ended, and nobody has more of them than others need."""

from __future__ import annotations

import asyncio
import contextlib
import resource
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import structlog
from aiohttp import web
from edge_wire import Wire, ask, connect, request, until

from bot.files.http import read_upload
from bot.settings import Settings
from bot.web import connections, descriptors, serving
from bot.web.connections import Connections
from bot.web.descriptors import Descriptors

HALF_HEADER = b"GET / HTTP/1.1\r\nHost: localhost\r\nX-"
MUCH = 30_000_000
HALF_BODY = request("POST", "/ignores", Content_Length="100") + b"half"


@dataclass
class Server:
    """A server with short patience, and what is connected to it."""

    port: int
    open: Connections


Serve = Callable[..., contextlib.AbstractAsyncContextManager[Server]]


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Serve:
    monkeypatch.setattr(serving, "LOOK_S", 0.02)

    @contextlib.asynccontextmanager
    async def served(**settings: object) -> AsyncIterator[Server]:
        app = web.Application()
        app.add_routes(
            [
                web.get("/", _hello),
                web.post("/ignores", _ignores),
                web.post("/upload", _uploads),
                web.get("/much", _much),
                web.get("/socket", _socket),
            ]
        )
        chosen = replace(Settings(state_dir=tmp_path), **settings)  # type: ignore[arg-type]
        async with serving.serving(app, chosen, 0, "INGRESS_PORT") as (port, open_):
            yield Server(port, open_)

    return served


async def _hello(_request: web.Request) -> web.Response:
    return web.Response(text="hello")


async def _ignores(_request: web.Request) -> web.Response:
    await asyncio.sleep(2)
    return web.Response()


async def _uploads(request: web.Request) -> web.Response:
    arriving = await read_upload(request, 1000)
    return web.Response(body=b"".join([chunk async for chunk in arriving.chunks]))


async def _much(_request: web.Request) -> web.Response:
    return web.Response(body=bytes(MUCH))


async def _socket(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async for frame in socket:
        await socket.send_str(frame.data)
    return socket


@pytest.mark.parametrize("sent", [b"", b"G", HALF_HEADER, b"\r\n"])
async def test_a_connection_without_a_whole_header_is_ended(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr(connections, "HEADER_S", 0.1)
    async with serve() as server:
        wire = await connect(server.port)
        await wire.send(sent)
        await wire.end()
        assert len(server.open) == 0


async def test_a_header_that_comes_drop_by_drop_is_ended(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "HEADER_S", 0.2)
    async with serve() as server:
        wire = await connect(server.port)
        await wire.send(HALF_HEADER)

        async def drip() -> None:
            while True:
                await wire.send(b"a")
                await asyncio.sleep(0.01)

        dripping = asyncio.create_task(drip())
        await until(lambda: len(server.open) == 0)
        dripping.cancel()
        await asyncio.gather(dripping, return_exceptions=True)


async def test_a_second_header_has_no_more_time_than_the_first(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "HEADER_S", 0.1)
    async with serve() as server:
        wire = await connect(server.port)
        await wire.send(request("GET", "/"))
        assert (await wire.answer()).status == 200
        await wire.send(HALF_HEADER)
        await wire.end()


async def test_a_body_that_does_not_come_is_ended_whatever_the_handler_does(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "BODY_S", 0.1)
    async with serve() as server:
        wire = await connect(server.port)
        await wire.send(HALF_BODY)
        await wire.end()


async def test_an_upload_may_take_longer(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "BODY_S", 0.0)
    async with serve() as server:
        wire = await connect(server.port)
        await wire.send(request("POST", "/upload", Content_Length="4") + b"ab")
        await asyncio.sleep(0.2)
        await wire.send(b"cd")
        assert (await wire.answer()).body == b"abcd"


async def test_an_idle_connection_is_closed_after_a_while(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "KEEP_ALIVE_S", 0.1)
    async with serve() as server:
        wire = await connect(server.port)
        await wire.send(request("GET", "/"))
        assert (await wire.answer()).status == 200
        assert await wire.end() == b""


async def test_an_idle_connection_outlives_the_time_for_a_header(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "HEADER_S", 0.1)
    async with serve() as server:
        wire = await connect(server.port)
        for _ in range(2):
            await wire.send(request("GET", "/"))
            assert (await wire.answer()).body == b"hello"
            await asyncio.sleep(0.2)
        assert len(server.open) == 1
        wire.close()


async def test_who_takes_no_answer_is_ended(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "SEND_S", 0.2)
    async with serve() as server:
        wire = await connect(server.port)
        wire.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await wire.send(request("GET", "/much"))
        await until(lambda: len(server.open) == 0)
        wire.close()


async def test_a_new_connection_has_time_to_take_its_first_answer(serve: Serve) -> None:
    async with serve() as server:
        wire = await connect(server.port)
        wire.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await wire.send(request("GET", "/much"))
        await until(lambda: _unsent(server))
        await asyncio.sleep(10 * serving.LOOK_S)
        assert len(server.open) == 1
        wire.writer.transport.resume_reading()  # type: ignore[attr-defined]
        assert len((await wire.answer()).body) == MUCH
        wire.close()


def _unsent(server: Server) -> int:
    transports = [one.transport for one in server.open._open]
    return sum(transport.get_write_buffer_size() for transport in transports if transport)


async def test_an_open_window_is_not_overdue(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEADER_S", 0.05)
    monkeypatch.setattr(connections, "BODY_S", 0.05)
    async with serve() as server:
        wire = await connect(server.port)
        upgrade = {
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec_WebSocket_Version": "13",
            "Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZQ==",
        }
        await wire.send(request("GET", "/socket", **upgrade))
        assert (await wire.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")
        await asyncio.sleep(0.2)
        await wire.send(bytes([0x81, 0x82, 0, 0, 0, 0]) + b"hi")
        assert await wire.reader.readexactly(4) == b"\x81\x02hi"
        wire.close()


async def _fill(server: Server, count: int, source: str = "127.0.0.1") -> list[Wire]:
    before = len(server.open)
    wires = [await connect(server.port, source) for _ in range(count)]
    await until(lambda: len(server.open) == before + count)
    return wires


async def test_an_address_has_only_so_many_connections(serve: Serve) -> None:
    async with serve(connections_per_address=3) as server:
        wires = await _fill(server, 3)
        for wire in wires:
            await wire.send(request("POST", "/ignores", b"whole"))
        await until(lambda: all(not one.is_idle for one in server.open._open))
        one_more = await connect(server.port)
        await one_more.end()
        other = await connect(server.port, "127.0.0.2")
        await other.send(request("GET", "/"))
        assert (await other.answer()).status == 200, "others have their own"
        wires[0].close()
        await until(lambda: len(server.open) == 3)
        assert (await ask(server.port, request("GET", "/"))).status == 200
        for wire in (*wires, other):
            wire.close()


async def test_browsers_that_keep_connections_keep_nobody_of_their_office_out(serve: Serve) -> None:
    async with serve(connections_per_address=3) as server:
        wires = await _fill(server, 3)
        for wire in wires:
            await wire.send(request("GET", "/"))
            assert (await wire.answer()).status == 200
        (other,) = await _fill(server, 1, "127.0.0.2")
        colleague = await connect(server.port)
        await colleague.send(request("GET", "/"))
        assert (await colleague.answer()).status == 200
        await wires[0].end()
        for kept in (*wires[1:], colleague, other):
            await kept.send(request("GET", "/"))
            assert (await kept.answer()).status == 200
            kept.close()


async def test_a_trusted_proxy_has_as_many_as_it_needs(serve: Serve) -> None:
    async with serve(connections_per_address=2, trusted_proxies=("127.0.0.0/8",)) as server:
        for wire in await _fill(server, 10):
            wire.close()


async def test_where_descriptors_end_an_idle_connection_makes_room(serve: Serve) -> None:
    async with serve() as server:
        first = await connect(server.port)
        await first.send(request("GET", "/"))
        assert (await first.answer()).status == 200
        server.open._descriptors.most = 8
        assert (await ask(server.port, request("GET", "/"))).status == 200
        await first.end()


async def test_a_busy_connection_is_not_ended_for_another(serve: Serve) -> None:
    async with serve() as server:
        busy = await connect(server.port)
        await busy.send(request("POST", "/ignores", b"whole"))
        await until(lambda: all(not one.is_idle for one in server.open._open))
        server.open._descriptors.most = 8
        refused = await connect(server.port)
        await refused.end()
        assert len(server.open) == 1
        busy.close()


def test_scarce_descriptors_are_told_once_in_a_while() -> None:
    watched = Descriptors(100)
    with structlog.testing.capture_logs() as told:
        assert watched.has_room(79, 0.0)
        assert watched.has_room(80, 1.0)
        assert watched.has_room(81, 2.0)
        assert not watched.has_room(88, 3.0)
        assert watched.has_room(85, 62.0)
    assert [(line["event"], line["in_use"]) for line in told] == [
        ("descriptors.scarce", 80),
        ("descriptors.scarce", 85),
    ]


def test_a_process_may_have_as_many_descriptors_as_the_system_allows() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(256, soft), hard))
        assert descriptors.raise_limit() == descriptors.limit()
        wanted = descriptors.MOST if hard == resource.RLIM_INFINITY else hard
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (wanted, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
