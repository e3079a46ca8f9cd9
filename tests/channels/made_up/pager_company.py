"""The made-up vendor: delivers pages to us and takes ours."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestClient
from pager.routes import PATH, SECRET_HEADER
from pager.settings import PagerSettings
from recorded import NOWHERE, Recorded

SECRET = "s3cret-pager"


@dataclass
class PagerCompany:
    """Takes pages, as the company's API does."""

    url: str = ""
    pages: list[dict[str, str]] = field(default_factory=list)
    lamps: list[str] = field(default_factory=list)

    def make_app(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/pages", self._take)
        app.router.add_post("/lamp", self._light)
        return app

    async def _take(self, request: web.Request) -> web.Response:
        page: dict[str, str] = await request.json()
        if len(page["text"]) > 80:
            return web.json_response({"error": "too long"}, status=400)
        self.pages.append(page)
        return web.json_response({"page": f"sent-{len(self.pages)}"})

    async def _light(self, request: web.Request) -> web.Response:
        self.lamps.append((await request.json())["to"])
        return web.json_response({})


class RecordedPages(Recorded):
    """The company's deliveries: a secret in a header."""

    settings = PagerSettings(NOWHERE, SECRET)

    async def deliver(
        self, http: TestClient[Any, Any], body: bytes, secret: str = SECRET
    ) -> aiohttp.ClientResponse:
        return await http.post(PATH, data=body, headers={SECRET_HEADER: secret})

    async def forge(self, http: TestClient[Any, Any]) -> aiohttp.ClientResponse:
        return await self.deliver(http, json.dumps(self.message).encode(), "guess")
