"""Answers name no versions, and over https ask browsers to stay there."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from bot.settings import Settings
from bot.web import answers
from bot.web.serving import serving


def _app(public_url: str = "") -> web.Application:
    app = web.Application()
    answers.harden(app, public_url)

    async def hello(_: web.Request) -> web.Response:
        return web.Response(text="hello")

    app.router.add_get("/", hello)
    return app


@pytest.mark.parametrize("path", ["/", "/missing"])
async def test_no_answer_names_versions(path: str) -> None:
    async with TestClient(TestServer(_app())) as client:
        answer = await client.get(path)
    assert answer.headers["Server"] == answers.SERVER
    assert "/" not in answer.headers["Server"]
    assert "Strict-Transport-Security" not in answer.headers


async def test_what_is_no_http_is_answered_without_them_too() -> None:
    async with serving(_app(), Settings(), 0, "PORT") as (port, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"NONSENSE\r\n\r\n")
        told = (await reader.read()).lower()
        writer.close()
    assert b" 400 " in told
    assert b"aiohttp" not in told
    assert b"python" not in told


async def test_over_https_browsers_are_asked_to_stay_there() -> None:
    async with TestClient(TestServer(_app("https://shop.example.org"))) as client:
        answer = await client.get("/")
    assert answer.headers["Strict-Transport-Security"] == answers.HSTS
