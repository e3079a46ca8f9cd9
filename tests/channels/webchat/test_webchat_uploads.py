"""Files of the widget over HTTP: what is taken, who gets it back, and how."""

from __future__ import annotations

import asyncio
import io
import time
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
from aiohttp.test_utils import TestClient, TestServer
from test_webchat_http import API, bearer, history, open_session, poll
from webchat_shop import Shop, open_shop, reply_to

from bot.stores.redis_client import EmbeddedServer
from bot.streams import attachments
from bot.streams.attachments import Attachment
from bot.streams.delivery import files_of
from bot.streams.messages import Inbound
from channels.webchat.server import throttle

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(300)
PDF = b"%PDF-1.7\n%\xe2\xe3\n" + bytes(300)


async def put(
    client: TestClient,
    session: dict[str, Any],
    content: Any = PNG,
    name: str = "cat.png",
    type_: str = "image/png",
    **headers: str,
) -> tuple[int, dict[str, Any]]:
    answer = await client.post(
        f"{API}/upload",
        data=content,
        headers={**bearer(session), "Content-Type": type_, "X-File-Name": quote(name), **headers},
    )
    return answer.status, await answer.json()


async def say(
    client: TestClient, session: dict[str, Any], *files: str, number: str = "1", text: str = ""
) -> tuple[int, dict[str, Any]]:
    body = {"id": number, "text": text, "attachments": list(files)}
    answer = await client.post(f"{API}/message", json=body, headers=bearer(session))
    return answer.status, await answer.json()


def there(shop: Shop) -> set[str]:
    """Files in the folder, which all tests of a session share."""
    return {path.name for path in shop.settings.files_folder.glob("*/*")}


async def recorded(shop: Shop, inbound: Inbound) -> None:
    """Do what engine and recorder do with a message."""
    await shop.engine.record(inbound)
    await shop.engine.database.run(lambda c: attachments.store_files(c, files_of(inbound)))


async def test_a_file_goes_up_into_a_message_and_back_into_the_history(
    shop: Shop, client: TestClient
) -> None:
    session = await open_session(client)
    status, stored = await put(client, session, PNG, "मेरी बिल्ली.png")
    assert (status, stored) == (
        201,
        {
            "id": stored["id"],
            "name": "मेरी बिल्ली.png",
            "type": "image/png",
            "size": len(PNG),
            "kind": "image",
        },
    )
    assert (await say(client, session, stored["id"]))[0] == 202
    (inbound,) = shop.engine.taken
    assert [a.shown() for a in inbound.attachments] == [{**stored, "state": "stored", "reason": ""}]
    frames = (await poll(client, session))["frames"]
    assert frames[0]["message"]["attachments"][0]["id"] == stored["id"]
    await recorded(shop, inbound)
    (await shop.redis.flushall())
    (message,) = (await history(client, session))["messages"]
    assert (message["text"], message["attachments"][0]["name"]) == ("", "मेरी बिल्ली.png")
    # The same message again is no error, the same file in another one is.
    assert (await say(client, session, stored["id"]))[1]["duplicate"] is True
    status, refusal = await say(client, session, stored["id"], number="2")
    assert (status, refusal["error"]["code"]) == (400, "unknown-file")


async def test_a_form_works_as_well(client: TestClient) -> None:
    session = await open_session(client)
    form = aiohttp.FormData({"note": "x"}, quote_fields=False)  # as browsers write names
    form.add_field("file", io.BytesIO(PDF), filename="..\\..\\bill.pdf", content_type="a/b")
    answer = await client.post(f"{API}/upload", data=form, headers=bearer(session))
    assert answer.status == 201
    stored = await answer.json()
    assert (stored["name"], stored["type"], stored["kind"]) == (
        "bill.pdf",
        "application/pdf",
        "file",
    )
    empty = aiohttp.FormData({"note": "x"}, default_to_multipart=True)
    answer = await client.post(f"{API}/upload", data=empty, headers=bearer(session))
    assert (answer.status, (await answer.json())["error"]) == (400, "bad-upload")
    broken = {**bearer(session), "Content-Type": "multipart/form-data"}
    answer = await client.post(f"{API}/upload", data=b"x", headers=broken)
    assert (answer.status, (await answer.json())["error"]) == (400, "bad-upload")


@pytest.mark.parametrize(
    ("content", "name", "type_", "code", "status"),
    [
        (b"<html>", "a.png", "image/png", "content-mismatch", 415),
        (b"<svg onload=x>", "a.svg", "image/svg+xml", "type-not-allowed", 415),
        (b"#!/bin/sh\nrm", "a.html", "text/html", "type-not-allowed", 415),
        (b"", "a.png", "image/png", "empty", 400),
    ],
)
async def test_what_is_not_taken_is_refused_in_words(
    shop: Shop, client: TestClient, content: bytes, name: str, type_: str, code: str, status: int
) -> None:
    before = there(shop)
    session = await open_session(client)
    got, refusal = await put(client, session, content, name, type_)
    assert (got, refusal["error"]) == (status, code)
    assert isinstance(refusal["reason"], str)
    assert there(shop) == before


@pytest.mark.parametrize("in_form", [True, False])
async def test_a_file_may_be_larger_than_other_bodies(
    redis_dir: Any, redis_server: EmbeddedServer, in_form: bool
) -> None:
    shop = open_shop(redis_dir, redis_server)
    shop.app._client_max_size = 1000  # as the ingress sets it to MAX_BODY_BYTES
    content = PNG + bytes(3_000_000)
    async with TestClient(TestServer(shop.app)) as client:
        session = await open_session(client)
        data: Any = content
        headers = {**bearer(session), "Content-Type": "image/png", "X-File-Name": "large.png"}
        if in_form:
            data = aiohttp.FormData({"note": "x"})
            data.add_field("file", io.BytesIO(content), filename="large.png")
            headers = bearer(session)
        answer = await client.post(f"{API}/upload", data=data, headers=headers)
        assert (answer.status, (await answer.json()).get("size")) == (201, len(content))
    await shop.redis.aclose()
    shop.engine.database.close()


async def test_a_script_named_as_text_cannot_be_run_by_a_click(client: TestClient) -> None:
    session = await open_session(client)
    _, stored = await put(client, session, b"@echo off\ndel *", "run.bat", "")
    assert (stored["name"], stored["type"]) == ("run.bat.txt", "text/plain")


@pytest.mark.parametrize("announced", [True, False])
async def test_too_large_is_refused_while_it_arrives(
    redis_dir: Any, redis_server: EmbeddedServer, announced: bool
) -> None:
    shop = open_shop(redis_dir, redis_server, max_file_bytes=100_000)
    before = there(shop)

    async def endless() -> Any:
        while True:
            yield PNG + bytes(50_000)
            await asyncio.sleep(0)

    async with TestClient(TestServer(shop.app)) as client:
        session = await open_session(client)
        content = PNG + bytes(100_001) if announced else endless()
        status, refusal = await put(client, session, content)
        assert (status, refusal["error"]) == (413, "too-large")
        assert there(shop) == before
    await shop.redis.aclose()
    shop.engine.database.close()


async def test_nobody_else_can_open_or_send_a_file(shop: Shop, client: TestClient) -> None:
    mine, theirs = await open_session(client), await open_session(client)
    _, stored = await put(client, mine)
    path = f"{API}/files/{stored['id']}"
    for headers, status in ((bearer(mine), 200), (bearer(theirs), 404), ({}, 401)):
        assert (await client.get(path, headers=headers)).status == status
    assert (await client.post(f"{path}/link", headers=bearer(theirs))).status == 404
    status, refusal = await say(client, theirs, stored["id"])
    assert (status, refusal["error"]["code"]) == (400, "unknown-file")
    assert shop.engine.taken == []
    # An agent's file of another conversation is no upload of this customer either.
    assert (await client.get(f"{API}/files/none", headers=bearer(mine))).status == 404


async def test_an_address_opens_one_file_for_some_minutes(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await open_session(client)
    (_, cat), (_, bill) = await put(client, session), await put(client, session, PDF, "bill.pdf")
    answer = await client.post(f"{API}/files/{cat['id']}/link", headers=bearer(session))
    url = (await answer.json())["url"]
    opened = await client.get(url)
    assert (opened.status, await opened.read()) == (200, PNG)
    for forged in (
        url.replace(cat["id"], bill["id"]),
        url[:-1] + ("0" if url[-1] != "0" else "1"),
        url.replace("expires=", "expires=9"),
        f"{API}/files/{cat['id']}?key=x",
        url + "%00",
    ):
        assert (await client.get(forged)).status == 404, forged
    later = time.time() + 301
    monkeypatch.setattr("channels.webchat.server.uploads.time.time", lambda: later)
    assert (await client.get(url)).status == 404


@pytest.mark.parametrize(
    ("content", "name", "how"), [(PNG, "cat.png", "inline"), (PDF, "bill.pdf", "attachment")]
)
async def test_a_browser_is_told_to_run_nothing(
    client: TestClient, content: bytes, name: str, how: str
) -> None:
    session = await open_session(client)
    _, stored = await put(client, session, content, name, "")
    answer = await client.get(f"{API}/files/{stored['id']}", headers=bearer(session))
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert answer.headers["Content-Disposition"].startswith(f'{how}; filename="{name}"')
    assert answer.headers["Cache-Control"] == "no-store"
    head = await client.head(f"{API}/files/{stored['id']}", headers=bearer(session))
    assert (head.status, head.headers["Content-Length"]) == (200, str(len(content)))


async def test_an_agents_file_is_shown_and_can_be_opened(shop: Shop, client: TestClient) -> None:
    session = await open_session(client)
    assert (await say(client, session, text="hello"))[0] == 202
    (inbound,) = shop.engine.taken
    file = Attachment("agents-1", "file", "offer.pdf", "application/pdf", 5)
    reply = reply_to(inbound, "", 7, author="agent", agent="Asha", attachments=(file,))
    await shop.engine.say(reply)
    frames = (await poll(client, session))["frames"]
    (shown,) = [f["message"] for f in frames if f["message"]["author"] == "agent"]
    assert shown["attachments"] == [file.shown()]


async def test_other_pages_scripts_cannot_upload(client: TestClient) -> None:
    session = await open_session(client)
    status, refusal = await put(client, session, Origin="https://evil.example")
    assert (status, refusal["error"]) == (403, "origin-not-allowed")
    assert (await put(client, {"token": "x"}))[0] == 401


async def test_the_allowance_runs_out(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    few = throttle.Allowance("webchat-uploads", 2, 600)
    monkeypatch.setattr(throttle, "UPLOADS_PER_SESSION", few)
    session = await open_session(client)
    assert [(await put(client, session))[0] for _ in range(3)] == [201, 201, 429]


@pytest.mark.parametrize(
    ("attachments", "code"),
    [
        ("f1", "wrong-type"),
        ([1], "wrong-type"),
        ({"a": 1}, "wrong-type"),
        (["../../etc/passwd"], "unknown-file"),
        (["a", "a"], "unknown-file"),
        ([f"f{n}" for n in range(11)], "too-many-files"),
        (["f1"], "unknown-file"),
        ([], "empty"),
    ],
)
async def test_attachments_of_any_shape_get_a_clear_answer(
    client: TestClient, attachments: Any, code: str
) -> None:
    session = await open_session(client)
    body = {"id": "1", "attachments": attachments}
    answer = await client.post(f"{API}/message", json=body, headers=bearer(session))
    assert (answer.status, (await answer.json())["error"]["code"]) == (400, code)


PNG_HEAD = b"\x89PNG\r\n\x1a\n" + bytes(64)


@pytest.mark.parametrize(
    "head",
    [
        b'Content-Disposition: form-data; name="file"; filename="\xff\xfe.png"',
        b'Content-Disposition: form-data; name="\xff"; filename="a.png"',
        b'Content-Disposition: form-data; name="file"; filename="a.png"\r\nContent-Type: \xff\xff',
        b'Content-Disposition: \xff\xfe; name="file"',
        b'Content-Disposition: form-data; name="file"\r\nContent-Transfer-Encoding: odd',
        b'Content-Disposition: form-data; name="file"\r\nContent-Length: many',
        b"No head at all",
        b"",
        b"X: " + b"a" * 9000,
    ],
)
async def test_a_part_that_is_no_file_is_refused_or_taken_under_a_readable_name(
    client: TestClient, head: bytes
) -> None:
    headers = {
        **bearer(await open_session(client)),
        "Content-Type": "multipart/form-data; boundary=b",
    }
    for end in (b"\r\n--b--\r\n", b""):
        body = b"--b\r\n" + head + b"\r\n\r\n" + PNG_HEAD + end
        answer = await client.post(f"{API}/upload", data=body, headers=headers)
        told = await answer.json()
        assert answer.status in (201, 400, 415), (head, told)
        if answer.status == 201:
            assert told["name"].isprintable()
