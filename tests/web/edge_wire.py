"""Raw sockets to a server of ours: bytes that no well-behaved client sends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web

APP_SECRET = "app-secret"
BOT_SECRET = "bot-secret"
PATIENCE_S = 15.0
"""A bound for failing tests, not a measure."""


@dataclass
class Served:
    """An application that listens."""

    app: web.Application
    port: int


@dataclass(frozen=True)
class Told:
    """An answer as it came over the wire."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass
class Wire:
    """One connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self) -> Told:
        """Read one answer."""
        async with asyncio.timeout(PATIENCE_S):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            first, *lines = head.split("\r\n")[:-2]
            headers = dict(line.split(": ", 1) for line in lines)
            body = await self.reader.readexactly(int(headers.get("Content-Length", "0")))
        return Told(int(first.split()[1]), headers, body)

    async def end(self) -> bytes:
        """Wait until the other side closes; whatever it said before."""
        async with asyncio.timeout(PATIENCE_S):
            try:
                return await self.reader.read(-1)
            except ConnectionError:
                return b""

    def close(self) -> None:
        self.writer.close()


async def connect(port: int, source: str = "127.0.0.1") -> Wire:
    """Open a connection; `source` may be any address of the loopback network."""
    return Wire(*await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0)))


def request(method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
    """Write a request; underscores in names of headers are hyphens."""
    told = {"Host": "localhost", "Content_Length": str(len(body)), **headers}
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in told.items()]
    head = "\r\n".join([f"{method} {path} HTTP/1.1", *lines, "", ""])
    return head.encode("latin-1") + body


async def until(is_so: Callable[[], object]) -> None:
    """Let the loop turn until something is so."""
    async with asyncio.timeout(PATIENCE_S):
        while not is_so():  # noqa: ASYNC110 - nothing tells, by design
            await asyncio.sleep(0.001)


async def ask(port: int, data: bytes) -> Told:
    """Send bytes over a connection of their own and read the answer."""
    wire = await connect(port)
    try:
        await wire.send(data)
        return await wire.answer()
    finally:
        wire.close()
