"""Files at the desk: who may open and send them, and how hostile ones are shown."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import desk_seed as seed
import pytest
import sqlalchemy as sa
from desk_world import Browser, Desk

from bot.conversation import store
from bot.desk import app_keys
from bot.stores import redis_keys
from bot.stores.tables import files
from bot.streams import attachments
from bot.streams.attachments import Attachment
from bot.streams.messages import Outbound
from bot.streams.recorder import store_rows

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(200)
PDF = b"%PDF-1.7\n%\xe2\xe3\n" + bytes(200)
CONVERSATION = "webchat-1"
HOSTILE = "\u202egpj.<img src=x onerror=alert(1)>\"'&.png"


def prepare(desk: Desk, owner: str | None = "u-asha", **values: object) -> None:
    def work(connection: sa.Connection) -> None:
        seed.conversation(connection, CONVERSATION, state="waiting", **values)
        seed.message(connection, CONVERSATION, "hello?")
        if owner:
            changed = {"state": "assigned", "owner": owner}
            connection.execute(sa.update(store.conversations).values(**changed))

    desk.database.call(work)


async def came(desk: Desk, content: bytes = PNG, message: str = "m-file", **more: Any) -> str:
    """Store a customer's message with a file."""
    told = {"id": "f1", "kind": "image", "name": "cat.png", "type": "image/png", **more}
    attachment = Attachment(**{"size": len(content), **told})

    async def chunks() -> Any:
        yield content

    await desk.server.app[app_keys.FILES].put("f1", chunks(), 10**6, lambda head: None)

    def work(connection: sa.Connection) -> None:
        seed.message(connection, CONVERSATION, "🖼", id=message)
        row = attachments.row_of(
            attachment,
            conversation=CONVERSATION,
            message=message,
            author="customer",
            created_at=1.0,
        )
        attachments.store_files(connection, [{**row, "sha256": "ab" * 32}])

    desk.database.call(work)
    return attachment.id


async def upload(
    browser: Browser, content: bytes = PDF, name: str = "bill.pdf", type_: str = "application/pdf"
) -> tuple[int, dict[str, Any]]:
    answer = await browser.client.post(
        f"/conversations/{CONVERSATION}/files",
        data=content,
        headers={
            "X-CSRF-Token": browser.csrf,
            "Accept": "application/json",
            "Content-Type": type_,
            "X-File-Name": quote(name),
        },
    )
    return answer.status, await answer.json()


async def sent(desk: Desk) -> list[Outbound]:
    shard = redis_keys.shard_of(CONVERSATION, desk.settings.shards)
    found = await desk.redis.xrange(redis_keys.outbox(shard))
    return [Outbound.from_dict(json.loads(fields["body"])) for _, fields in found]


async def recorded(desk: Desk) -> None:
    """Do what the recorder does."""
    shard = redis_keys.shard_of(CONVERSATION, desk.settings.shards)
    found = await desk.redis.xrange(redis_keys.record(shard))
    bodies = [json.loads(fields["body"]) for _, fields in found]
    desk.database.call(lambda c: store_rows(c, bodies))


async def test_a_picture_is_shown_in_place_and_runs_nothing(desk: Desk) -> None:
    prepare(desk)
    id_ = await came(desk)
    asha = await desk.browser()
    html = await asha.text(f"/inbox/mine/{CONVERSATION}")
    assert f'<img src="/files/{id_}" alt="cat.png"' in html
    answer = await asha.client.get(f"/files/{id_}")
    assert (answer.status, await answer.read()) == (200, PNG)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"].startswith("sandbox; default-src 'none'")
    assert answer.headers["Content-Disposition"].startswith("inline; ")
    saved = await asha.client.get(f"/files/{id_}?download")
    assert saved.headers["Content-Disposition"].startswith("attachment; ")
    again = await asha.client.get(
        f"/files/{id_}", headers={"If-None-Match": answer.headers["ETag"]}
    )
    assert again.status == 304


async def test_other_files_are_for_saving(desk: Desk) -> None:
    prepare(desk)
    # Announced as a picture, which the sign in the message's text still says.
    id_ = await came(desk, PDF, kind="file", name="bill.pdf", type="application/pdf")
    asha = await desk.browser()
    thread = (await asha.text(f"/inbox/mine/{CONVERSATION}")).split('id="thread"')[1]
    assert "🖼" not in thread.split("</ol>")[0]
    assert f'<a href="/files/{id_}" download>' in await asha.text(f"/inbox/mine/{CONVERSATION}")
    answer = await asha.client.get(f"/files/{id_}")
    assert answer.headers["Content-Disposition"].startswith("attachment; ")


async def test_without_a_session_there_is_nothing(desk: Desk) -> None:
    prepare(desk)
    id_ = await came(desk)
    stranger = (await desk.browser()).client
    stranger.session.cookie_jar.clear()
    answer = await stranger.get(f"/files/{id_}", allow_redirects=False)
    assert (answer.status, answer.headers["Location"]) == (303, "/login")


async def test_agents_of_another_team_get_the_same_answer_as_for_no_file(desk: Desk) -> None:
    prepare(desk, team="returns")
    id_ = await came(desk)
    ravi = (await desk.browser("ravi")).client
    for path in (f"/files/{id_}", "/files/none"):
        answer = await ravi.get(path, headers={"Accept": "application/json"})
        assert answer.status == 404
    assert (await (await desk.browser("boss")).client.get(f"/files/{id_}")).status == 200


@pytest.mark.parametrize(
    ("state", "reason", "word"),
    [
        ("fetching", "", "Being fetched"),
        ("refused", "too-large", "Too large"),
        ("failed", "not-found", "No longer there"),
    ],
)
async def test_what_is_not_there_says_why(desk: Desk, state: str, reason: str, word: str) -> None:
    prepare(desk)
    await came(desk, state=state, reason=reason, name="big.png")
    asha = await desk.browser()
    html = await asha.text(f"/inbox/mine/{CONVERSATION}")
    assert word in html
    assert "/files/f1" not in html
    assert (
        await asha.client.get("/files/f1", headers={"Accept": "application/json"})
    ).status == 404


async def test_a_transcript_names_files(desk: Desk) -> None:
    prepare(desk)
    await came(desk)
    told = await (await desk.browser()).text(f"/conversations/{CONVERSATION}/transcript.txt")
    assert "🖼\n[cat.png]\n" in told


async def test_a_hostile_name_is_text(desk: Desk) -> None:
    prepare(desk)
    asha = await desk.browser()
    status, stored = await upload(asha, PNG, HOSTILE, "image/png")
    assert status == 201, stored
    assert "\u202e" not in stored["name"]
    assert "<" not in stored["name"]
    # Even one that got into the table unclean.
    await came(desk, name=HOSTILE)
    assert "<img src=x" not in await asha.text(f"/inbox/mine/{CONVERSATION}")
    disposition = (await asha.client.get("/files/f1")).headers["Content-Disposition"]
    assert "<img" not in disposition.partition("filename*")[2]


async def test_an_agent_sends_a_file_with_and_without_words(desk: Desk) -> None:
    prepare(desk)
    asha = await desk.browser()
    (_, bill), (_, cat) = await upload(asha), await upload(asha, PNG, "cat.png", "image/png")
    path = f"/conversations/{CONVERSATION}/reply"
    status, _ = await asha.act(path, text="Here it is", files=bill["id"], key="a" * 16)
    assert status == 200
    status, _ = await asha.act(path, text="", files=cat["id"], key="b" * 16)
    assert status == 200
    with_words, without = await sent(desk)
    assert [a.name for a in with_words.attachments] == ["bill.pdf"]
    assert (without.text, [a.kind for a in without.attachments]) == ("", ["image"])
    await recorded(desk)
    html = await asha.text(f"/inbox/mine/{CONVERSATION}")
    assert "Here it is" in html
    assert f"/files/{cat['id']}" in html
    assert "🖼" not in html.split('id="thread"')[1].split("</ol>")[0]
    status, refusal = await asha.act(path, text="again", files=bill["id"], key="c" * 16)
    assert (status, refusal["code"]) == (400, "unknown-file")


async def test_only_who_has_the_conversation_uploads_and_only_their_own_files_are_sent(
    desk: Desk,
) -> None:
    prepare(desk)
    asha, ravi = await desk.browser(), await desk.browser("ravi")
    assert (await upload(ravi))[0] == 409
    _, stored = await upload(asha)
    desk.database.call(lambda c: c.execute(sa.update(store.conversations).values(owner="u-ravi")))
    status, refusal = await ravi.act(
        f"/conversations/{CONVERSATION}/reply", text="x", files=stored["id"]
    )
    assert (status, refusal["code"]) == (400, "unknown-file")
    no_csrf = Browser(asha.client, "wrong")
    assert (await upload(no_csrf))[0] == 403


async def test_a_file_may_be_larger_than_other_bodies(desk: Desk) -> None:
    prepare(desk)
    status, stored = await upload(
        await desk.browser(), PNG + bytes(2_000_000), "a.png", "image/png"
    )
    assert (status, stored.get("size")) == (201, len(PNG) + 2_000_000)


@pytest.mark.parametrize(
    ("content", "name", "code", "status"),
    [
        (b"<html><script>1</script>", "a.png", "content-mismatch", 415),
        (b"MZ" + bytes(99), "a.exe", "type-not-allowed", 415),
        (b"", "a.png", "empty", 400),
    ],
)
async def test_what_is_not_taken_is_refused_in_words(
    desk: Desk, content: bytes, name: str, code: str, status: int
) -> None:
    prepare(desk)
    got, refusal = await upload(await desk.browser(), content, name, "")
    assert (got, refusal["code"]) == (status, code)
    assert desk.database.call(lambda c: c.execute(sa.select(files.c.id)).all()) == []
