"""A store, a database and a worker, and servers that behave as hostile ones would."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import builders
from aiohttp import web

from bot.conversation import store as conversations
from bot.files import rows
from bot.files.addresses import Hosts
from bot.files.fetch import Fetcher
from bot.files.store import FileStore
from bot.settings import Settings
from bot.stores.database import Database
from bot.streams import attachments
from bot.streams.attachments import FETCHING, Attachment
from bot.streams.delivery import files_of
from bot.streams.messages import Inbound

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(200)
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01" + bytes(200)
PDF = b"%PDF-1.7\n%\xe2\xe3\n" + bytes(200)
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Cdn:
    """A vendor's file server."""

    url: str = ""
    answers: dict[str, Answer] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    over: asyncio.Event = field(default_factory=asyncio.Event)
    """What stalls goes on then."""

    def make_app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/{path:.*}", self._serve)
        return app

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path)
        return await self.answers[request.path](request)

    def gives(self, path: str, content: bytes, status: int = 200) -> str:
        """Serve bytes; return the address."""

        async def answer(_: web.Request) -> web.StreamResponse:
            return web.Response(body=content, status=status)

        self.answers[path] = answer
        return self.url + path

    def leads(self, path: str, to: str) -> str:
        """Redirect."""

        async def answer(_: web.Request) -> web.StreamResponse:
            return web.Response(status=302, headers={"Location": to})

        self.answers[path] = answer
        return self.url + path

    def pours(self, path: str, first: bytes = PNG) -> str:
        """Send without an end."""

        async def answer(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse()
            await response.prepare(request)
            await response.write(first)
            for _ in range(1000):
                await response.write(bytes(65536))
            return response

        self.answers[path] = answer
        return self.url + path

    def stalls(self, path: str) -> str:
        """Send the beginning, then nothing."""

        async def answer(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse()
            await response.prepare(request)
            await response.write(PNG)
            await self.over.wait()
            return response

        self.answers[path] = answer
        return self.url + path


@dataclass
class AnyVendor:
    """Files are where the message says."""

    hosts: Hosts

    async def address(self, account: str, at: str) -> str:
        return at

    async def aclose(self) -> None:
        pass


@dataclass
class Bench:
    """A worker and what it works on."""

    settings: Settings
    database: Database
    store: FileStore
    fetcher: Fetcher
    vendor: AnyVendor
    told: list[Mapping[str, Any]]

    async def came(
        self, *addresses: str, user: str = "ann", name: str = "a.png", **more: Any
    ) -> Inbound:
        """Store a message with files that are to be fetched."""
        files = tuple(
            Attachment(f"{user}-f{n}", "image", name, state=FETCHING, source=address, **more)
            for n, address in enumerate(addresses)
        )
        message = builders.inbound("", user=user, attachments=files)
        await self.database.run(lambda c: conversations.open_for(c, message, "en"))
        await self.database.run(lambda c: attachments.store_files(c, files_of(message)))
        return message

    async def row(self, id_: str = "ann-f0") -> dict[str, Any]:
        found = await self.database.read(lambda c: rows.get(c, id_))
        assert found is not None
        return found

    async def outcome(self, id_: str = "ann-f0") -> tuple[str, str]:
        """State and reason once nothing is due at this moment."""
        while await self.fetcher.step(builders.NOW + 10):
            pass
        row = await self.row(id_)
        return row["state"], row["reason"]

    async def content(self, id_: str = "ann-f0") -> bytes | None:
        file = await self.store.open(id_)
        if file is None:
            return None
        with file:
            return file.read()

    def stored(self) -> list[str]:
        """All files in the folder, unfinished ones among them."""
        return [path.name for path in self.settings.files_folder.rglob("*") if path.is_file()]
