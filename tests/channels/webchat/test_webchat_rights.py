"""Consent, deleting, rating, receipts, queue and photos, on a real Redis and SQLite."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from aiohttp.test_utils import TestClient, TestServer
from sqlalchemy.engine import Connection
from webchat_shop import Shop, jwt, open_shop, reply_to

from bot.conversation import store
from bot.conversation.states import State
from bot.errors import BadRequest
from bot.housekeeping import erasure
from bot.stores import redis_keys
from bot.stores.redis_client import EmbeddedServer
from bot.stores.tables import conversations, customers, events, messages, survey_answers
from bot.streams.messages import Inbound
from bot.streams.recorder import store_rows
from channels.kit.app_keys import SETTINGS
from channels.webchat.server import consent, photos, receive, throttle
from channels.webchat.server.guard import SECRET
from channels.webchat.server.session import identity_key, session_of
from channels.webchat.server.settings import WebchatSettings

API = "/webhooks/webchat"
WORD = "Quittenmarder"


async def open_session(client: TestClient, **body: Any) -> dict[str, Any]:
    answer = await client.post(f"{API}/session", json={"site": "demo", **body})
    assert answer.status == 200, await answer.text()
    return await answer.json()


async def post(client: TestClient, session: dict[str, Any], path: str, **body: Any) -> Any:
    headers = {"Authorization": f"Bearer {session['token']}"}
    return await client.post(f"{API}/{path}", json=body, headers=headers)


async def get(client: TestClient, session: dict[str, Any], path: str) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {session['token']}"}
    answer = await client.get(f"{API}/{path}", headers=headers)
    assert answer.status == 200, await answer.text()
    return await answer.json()


def rows(shop: Shop, table: sa.Table) -> list[dict[str, Any]]:
    return shop.engine.database.look(
        lambda c: [dict(row) for row in c.execute(sa.select(table)).mappings()]
    )


@pytest.fixture
async def strict(redis_dir: Path, redis_server: EmbeddedServer) -> AsyncIterator[Shop]:
    """A shop whose customers must agree first."""
    made = open_shop(redis_dir, redis_server, WebchatSettings(consent="click", consent_version="7"))
    await made.redis.flushall()
    yield made
    await made.redis.aclose()
    made.engine.database.close()
    (redis_dir / "samvad.sqlite3").unlink()


@pytest.fixture
async def door(strict: Shop) -> AsyncIterator[TestClient]:
    async with TestClient(TestServer(strict.app)) as client:
        yield client


async def converse(client: TestClient, shop: Shop, text: str = WORD) -> dict[str, Any]:
    """A visitor whose message is answered and recorded, in SQL as in Redis."""
    session = await open_session(client)
    assert (await post(client, session, "message", id="1", text=text)).status == 202
    await _settle(shop)
    inbound = shop.engine.taken[-1]
    await shop.engine.database.run(lambda c: store.open_for(c, inbound, "en"))
    await shop.engine.record(inbound, reply_to(inbound, f"You said: {text}"))
    return session


async def _settle(shop: Shop) -> None:
    while shop.engine.tasks:
        await asyncio.gather(*shop.engine.tasks)
        await asyncio.sleep(0)  # for the callback that takes them off the list


async def resolve(shop: Shop, inbound: Inbound, agent: str = "agent-1") -> None:
    await shop.engine.assign(inbound, agent)

    def change(connection: Connection) -> None:
        found = store.get(connection, inbound.conversation)
        assert found is not None
        store.change(connection, found, State.RESOLVED, key="resolve")

    await shop.engine.database.run(change)


# Consent


async def test_nothing_is_kept_before_the_customer_agrees(door: TestClient, strict: Shop) -> None:
    session = await open_session(door)
    assert session["consent"] == ""
    refused = await post(door, session, "message", id="1", text=WORD)
    assert refused.status == 403
    assert (await refused.json())["error"]["code"] == "consent-needed"
    upload = await door.post(
        f"{API}/upload",
        data=b"hello",
        headers={"Authorization": f"Bearer {session['token']}", "X-File-Name": "a.txt"},
    )
    assert upload.status == 403
    assert strict.engine.taken == []
    for table in (conversations, customers, messages, events):
        assert rows(strict, table) == [], table.name
    kept = [key async for key in strict.redis.scan_iter()]
    assert all(key.startswith("samvad:limit:") for key in kept), kept


async def test_consent_is_kept_once_with_version_and_time(door: TestClient, strict: Shop) -> None:
    before = time.time()
    session = await open_session(door)
    session = await open_session(door, token=session["token"], consent="7", locale="hi-IN")
    assert session["consent"] == "7"
    again = await open_session(door, token=session["token"], consent="7")
    assert again["visitor"] == session["visitor"]
    (customer,) = rows(strict, customers)
    assert (customer["consent_version"], customer["locale"]) == ("7", "hi-IN")
    assert before <= customer["consent_at"] <= time.time()
    (event,) = rows(strict, events)
    assert (event["type"], event["data"]) == ("consent.given", {"version": "7"})
    assert event["conversation"] == session["conversation"]
    assert (await post(door, again, "message", id="1", text="hi")).status == 202
    # The first message finds the row that is there already.
    inbound = strict.engine.taken[-1]
    await strict.engine.database.run(lambda c: store.open_for(c, inbound, "en"))
    assert [c["consent_version"] for c in rows(strict, customers)] == ["7"]


async def test_consent_that_is_kept_is_not_written_again(
    door: TestClient, strict: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = (await open_session(door))["token"]
    written: list[str] = []
    keep = consent.keep
    monkeypatch.setattr(
        consent, "keep", lambda *told, **more: (written.append("row"), keep(*told, **more))
    )
    for _ in range(5):
        assert (await open_session(door, token=token, consent="7"))["consent"] == "7"
    assert written == ["row"]


async def test_consent_with_a_known_token_has_an_allowance(
    door: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    allowance = throttle.Allowance("consents", 3, 3600)
    monkeypatch.setattr(throttle, "sessions_per_address", lambda settings: allowance)
    token = (await open_session(door))["token"]
    body = {"site": "demo", "token": token, "consent": "7"}
    answers = [(await door.post(f"{API}/session", json=body)).status for _ in range(4)]
    assert answers == [200, 200, 429, 429]
    again = await door.post(f"{API}/session", json={"site": "demo", "token": token})
    assert again.status == 200, "who comes back without it uses none of it"


@pytest.mark.parametrize("most", [1, 3])
async def test_how_many_visitors_an_address_may_have_is_a_setting(shop: Shop, most: int) -> None:
    """Behind one address of a mobile carrier there may be a whole town."""
    shop.app[SETTINGS] = shop.settings.with_parts(
        replace(shop.settings.of(WebchatSettings), sessions_per_address=most)
    )
    async with TestClient(TestServer(shop.app)) as client:
        body = {"site": "demo"}
        answers = [(await client.post(f"{API}/session", json=body)).status for _ in range(most + 1)]
    assert answers == [200] * most + [429]


async def test_consent_to_another_wording_does_not_count(door: TestClient, strict: Shop) -> None:
    answer = await door.post(f"{API}/session", json={"site": "demo", "consent": "6"})
    assert (await answer.json())["error"]["code"] == "bad-consent"
    agreed = session_of("demo", "v", 0, "7")
    receive.check_consent(agreed, strict.settings)
    other = strict.settings.with_parts(WebchatSettings(consent="click", consent_version="8"))
    with pytest.raises(BadRequest, match="not agreed"):
        receive.check_consent(agreed, other)


async def test_who_logs_in_is_not_asked_again(door: TestClient, strict: Shop) -> None:
    session = await open_session(door, consent="7")
    key = identity_key(strict.app[SECRET], "demo")
    identity = jwt({"sub": "ann", "aud": "demo", "exp": time.time() + 600}, key=key)
    known = await open_session(door, token=session["token"], identity=identity, consent="7")
    assert known["visitor"] != session["visitor"]
    assert known["consent"] == "7"
    given = {c["id"] for c in rows(strict, customers) if c["consent_version"] == "7"}
    assert given == {f"c-{session['conversation']}", f"c-{known['conversation']}"}
    # Another person in this browser does not inherit it.
    bob = jwt({"sub": "bob", "aud": "demo", "exp": time.time() + 600}, key=key)
    assert (await open_session(door, token=known["token"], identity=bob))["consent"] == ""


# Deleting


async def test_everything_of_one_customer_goes_and_the_other_stays(
    client: TestClient, shop: Shop
) -> None:
    session = await converse(client, shop)
    headers = {"Authorization": f"Bearer {session['token']}", "X-File-Name": "a.txt"}
    sent = await client.post(f"{API}/upload", data=WORD.encode(), headers=headers)
    assert sent.status == 201
    assert _files_with(shop.settings.files_folder, WORD)
    other = await converse(client, shop, "Unbeteiligte")
    await resolve(shop, shop.engine.taken[0])
    await post(client, session, "rating", score=2, comment=f"{WORD}!")
    answer = await post(client, session, "erase", confirm=True)
    assert (answer.status, await answer.json()) == (200, {"erased": True})
    # Redis: no key, no entry; SQL: no row, in any table.
    left = [key async for key in shop.redis.scan_iter()]
    assert not [key for key in left if session["conversation"] in key], left
    for key in left:
        if await shop.redis.type(key) == "stream":
            assert WORD not in str(await shop.redis.xrange(key))
    assert not _files_with(shop.settings.files_folder, WORD)
    dump = shop.engine.database.look(_everything)
    assert WORD not in dump
    assert session["conversation"] not in dump
    assert session["visitor"] not in dump
    assert "Unbeteiligte" in dump
    assert [m["text"] for m in (await get(client, other, "history"))["messages"]]
    gone = await client.get(f"{API}/history", headers={"Authorization": headers["Authorization"]})
    assert (gone.status, (await gone.json())["error"]["code"]) == (401, "session-ended")
    again = await client.post(f"{API}/session", json={"site": "demo", "token": session["token"]})
    assert (await again.json())["visitor"] != session["visitor"]


def _files_with(folder: Path, word: str) -> list[Path]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [path for path in files if word.encode() in path.read_bytes()]


def _everything(connection: Connection) -> str:
    found = []
    for table in sa.inspect(connection).get_table_names():
        found += [str(tuple(row)) for row in connection.exec_driver_sql(f'SELECT * FROM "{table}"')]
    return "\n".join(found)


async def test_only_the_sessions_own_conversation_goes(client: TestClient, shop: Shop) -> None:
    session = await converse(client, shop)
    # An agent has put this visitor and somebody on another channel together, perhaps wrongly.
    row = {
        **rows(shop, conversations)[0],
        "id": "telegram-x",
        "channel": "telegram",
        "vendor_user": "4711",
    }
    await shop.engine.database.run(lambda c: c.execute(sa.insert(conversations).values(row)))
    found = shop.engine.database.look(
        lambda c: erasure.ids_of_conversation(c, session["conversation"], session["visitor"])
    )
    assert (found.customers, found.conversations) == ((), (session["conversation"],))
    assert (await post(client, session, "erase", confirm=True)).status == 200
    assert [c["id"] for c in rows(shop, conversations) if c["channel"] == "telegram"] == [
        "telegram-x"
    ]
    assert row["customer_id"] in {c["id"] for c in rows(shop, customers)}


@pytest.mark.parametrize("path", ["erase", "rating", "read"])
async def test_a_stranger_changes_nothing(client: TestClient, shop: Shop, path: str) -> None:
    session = await converse(client, shop)
    body = {"confirm": True, "score": 5, "until": "1-1"}
    forged = {"token": session["token"][:-3] + "abc"}
    assert (await post(client, forged, path, **body)).status == 401
    assert (await client.post(f"{API}/{path}", json=body)).status == 401
    if path != "read":
        headers = {"Authorization": f"Bearer {session['token']}", "Origin": "https://evil.example"}
        foreign = await client.post(f"{API}/{path}", json=body, headers=headers)
        assert foreign.status == 403
    assert len((await get(client, session, "history"))["messages"]) == 2


async def test_deleting_wants_a_confirmation_and_has_an_allowance(
    client: TestClient, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await converse(client, shop)
    for confirm in (None, "true", 1):
        answer = await post(client, session, "erase", confirm=confirm)
        assert (await answer.json())["error"]["code"] == "not-confirmed"
    monkeypatch.setattr(throttle, "ERASURES_PER_ADDRESS", throttle.Allowance("erase-test", 1, 60))
    assert (await post(client, session, "erase", confirm=True)).status == 200
    other = await converse(client, shop)
    assert (await post(client, other, "erase", confirm=True)).status == 429


# Rating


async def test_an_episode_is_rated_once_when_it_was_resolved(
    client: TestClient, shop: Shop
) -> None:
    session = await converse(client, shop)
    early = await post(client, session, "rating", score=5)
    assert (early.status, (await early.json())["error"]["code"]) == (409, "not-over")
    assert (await get(client, session, "history"))["rate"] is False
    await resolve(shop, shop.engine.taken[-1])
    assert (await get(client, session, "history"))["rate"] is True
    first = await post(client, session, "rating", score=4, comment="  gut gemacht\u0007 ")
    assert await first.json() == {"score": 4, "duplicate": False}
    again = await post(client, session, "rating", score=1)
    assert await again.json() == {"score": 1, "duplicate": True}
    assert (await get(client, session, "history"))["rate"] is False
    (answer,) = rows(shop, survey_answers)
    assert (answer["score"], answer["comment"]) == (4, "gut gemacht")
    (event,) = [e for e in rows(shop, events) if e["type"] == "survey.answered"]
    assert event["data"] == {
        "survey": "csat",
        "score": 4,
        "owner": "agent",
        "agent": "agent-1",
        "comment_characters": 11,
    }
    assert "gut" not in str(event)


@pytest.mark.parametrize(
    ("score", "comment", "code"),
    [
        (0, "", "bad-score"),
        (6, "", "bad-score"),
        (2.5, "", "bad-score"),
        (True, "", "bad-score"),
        ("5", "", "bad-score"),
        (None, "", "bad-score"),
        (5, "x" * 1001, "text-too-long"),
        (5, ["x"], "wrong-type"),
    ],
)
async def test_a_rating_that_is_none_is_refused(
    client: TestClient, score: Any, comment: Any, code: str
) -> None:
    session = await open_session(client)
    answer = await post(client, session, "rating", score=score, comment=comment)
    assert (await answer.json())["error"]["code"] == code


# Receipts


async def test_what_was_on_the_screen_is_read_and_only_that(client: TestClient, shop: Shop) -> None:
    session = await converse(client, shop)
    inbound = shop.engine.taken[-1]
    cursor = (await get(client, session, "history"))["cursor"]
    later = reply_to(inbound, "later", 5, author="agent", agent="Asha")
    await shop.engine.say(later)
    await shop.engine.record(inbound, later)
    answer = await post(client, session, "read", until=cursor)
    assert await answer.json() == {"read": 1}
    assert await (await post(client, session, "read", until=cursor)).json() == {"read": 0}
    await _store_records(shop, session["conversation"])
    delivery = {row["text"]: row["delivery"] for row in rows(shop, messages)}
    assert delivery == {WORD: "queued", f"You said: {WORD}": "read", "later": "queued"}
    bad = await post(client, session, "read", until="yesterday")
    assert (await bad.json())["error"]["code"] == "bad-cursor"


async def test_a_receipt_that_overtakes_the_sender_stays(client: TestClient, shop: Shop) -> None:
    session = await converse(client, shop)
    (reply,) = [row for row in rows(shop, messages) if row["author"] == "bot"]
    notes = [
        {"id": reply["id"], "conversation": session["conversation"], "delivery": state}
        for state in ("read", "sent")
    ]
    for note in notes:
        await shop.engine.database.run(
            lambda c, body=note: store_rows(c, [{"kind": "delivery", "body": body}])
        )
    assert {r["delivery"] for r in rows(shop, messages) if r["author"] == "bot"} == {"read"}


async def _store_records(shop: Shop, conversation: str) -> None:
    shard = redis_keys.shard_of(conversation, shop.settings.shards)
    found = await shop.redis.xrange(redis_keys.record(shard))
    told = [json.loads(fields["body"]) for _, fields in found]
    await shop.engine.database.run(lambda c: store_rows(c, told))


# Queue


async def test_a_waiting_customer_learns_their_place(client: TestClient, shop: Shop) -> None:
    first = await converse(client, shop)
    assert await get(client, first, "queue") == {"state": "bot"}
    second = await converse(client, shop)

    def wait(connection: Connection) -> None:
        for number, session in enumerate((first, second)):
            found = store.get(connection, session["conversation"])
            assert found is not None
            store.change(
                connection, found, State.WAITING, key="w", cause="asked", now=float(number)
            )

    await shop.engine.database.run(wait)
    assert await get(client, first, "queue") == {"state": "waiting", "place": 1, "agents": 0}
    assert (await get(client, second, "queue"))["place"] == 2


# Photos


async def test_an_agents_photo_comes_from_our_origin(
    redis_dir: Path, redis_server: EmbeddedServer, tmp_path: Path
) -> None:
    picture = b"\x89PNG\r\n\x1a\n" + bytes(20)
    (tmp_path / "Asha Rao.png").write_bytes(picture)
    (tmp_path / "secret.txt").write_text("no")
    shop = open_shop(redis_dir, redis_server, WebchatSettings(agent_photos=tmp_path))
    async with TestClient(TestServer(shop.app)) as client:
        session = await converse(client, shop)
        said = reply_to(shop.engine.taken[-1], "hi", 5, author="agent", agent="Asha Rao")
        await shop.engine.say(said)
        shown = (await get(client, session, "history"))["messages"]
        (key,) = [m["photo"] for m in shown if "photo" in m]
        answer = await client.get(f"/webchat/photo/{key}")
        assert (answer.status, await answer.read()) == (200, picture)
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.content_type == "image/png"
        for name in (photos.key_of("secret"), "0" * 20):
            assert (await client.get(f"/webchat/photo/{name}")).status == 404
    await shop.redis.aclose()
    shop.engine.database.close()
    (redis_dir / "samvad.sqlite3").unlink()
