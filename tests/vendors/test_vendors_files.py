"""Files through every real process: from the vendor to an agent, and the other way."""

from __future__ import annotations

from typing import Any

import pytest
from running import ANSWER_S, CACHE, DeskAgent, System, until
from test_vendors_system import (
    deliver_facebook,
    deliver_telegram,
    said_on_messenger,
    settled,
    texts,  # noqa: F401 - a fixture
    words,
)
from vendors.conftest import World
from vendors.forms import SentFile
from vendors.graph_server import PAGE, sent_files
from vendors.telegram_server import TOKEN, private

from bot.content.texts import SystemTexts
from bot.streams.messages import conversation_id

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(300) + b"Quittenmarder"
PDF = b"%PDF-1.7\n%\xe2\xe3\n" + bytes(300)


def fetched(system: System, conversation: str, count: int = 1) -> list[tuple[Any, ...]]:
    """Rows of a conversation's files once none is on its way."""

    def look() -> list[tuple[Any, ...]]:
        found = system.sql(
            "select id, state, reason, type, source from files where conversation = ?"
            " order by created_at",
            conversation,
        )
        over = len(found) >= count and all(row[1] != "fetching" for row in found)
        return found if over else []

    return until(look, within_s=ANSWER_S, what="the file is settled")


@pytest.fixture(scope="module")
def agent(world: World) -> DeskAgent:
    return DeskAgent(world.system)


def test_a_photo_from_messenger_reaches_the_agent_and_a_bill_comes_back(
    world: World,
    agent: DeskAgent,
    texts: SystemTexts,  # noqa: F811
) -> None:
    world.graph.files["cat.png"] = PNG
    photo = ("image", f"{world.graph.url}/cdn/cat.png")
    for _ in range(2):
        deliver_facebook(world.system, sent_files("mid-file-1", photo, user="9101"))
    conversation = conversation_id("facebook", PAGE, "9101")
    ((id_, state, _, type_, source),) = fetched(world.system, conversation)
    assert (state, type_, source) == ("stored", "image/png", None)
    settled(world.system)
    said = [words(message) for message in said_on_messenger(world, "9101")]
    assert said[-1] == texts.render("utter_cannot_open", "en")
    assert agent.act(conversation, "claim").status == 200
    assert f"/files/{id_}" in agent.page(f"/inbox/mine/{conversation}")
    opened = agent.file(id_)
    assert (opened.status, opened.content) == (200, PNG)
    assert opened.headers["X-Content-Type-Options"] == "nosniff"
    bill = agent.upload(conversation, "रसीद.pdf", PDF)
    assert agent.act(conversation, "reply", text="Your bill", files=bill).status == 200

    def came() -> list[SentFile]:
        return [
            m["filedata"]
            for m in world.graph.sent
            if m["recipient"]["id"] == "9101" and "filedata" in m
        ]

    (sent,) = until(came, within_s=ANSWER_S, what="the bill")
    assert (sent.name, sent.type, sent.content) == ("रसीद.pdf", "application/pdf", PDF)


def test_a_photo_from_telegram_reaches_the_agent_and_another_comes_back(
    world: World,
    agent: DeskAgent,
    texts: SystemTexts,  # noqa: F811
) -> None:
    world.bot_api.paths["large-id"] = "photos/file_1.png"
    world.bot_api.files["photos/file_1.png"] = PNG
    update = private(101, "", user=9102)
    del update["message"]["text"]
    update["message"]["photo"] = [
        {"file_id": "small-id", "width": 90},
        {"file_id": "large-id", "width": 900},
    ]
    deliver_telegram(world, update)
    conversation = conversation_id("telegram", "MelaBot", "9102")
    ((id_, state, _, _, _),) = fetched(world.system, conversation)
    assert state == "stored"

    def mine() -> list[dict[str, Any]]:
        return [m for m in world.bot_api.sent if m["chat_id"] == 9102]

    until(lambda: len(mine()) >= 2, within_s=ANSWER_S, what="answer")
    assert mine()[-1]["text"] == texts.render("utter_cannot_open", "hi")
    assert agent.act(conversation, "claim").status == 200
    assert agent.file(id_).content == PNG
    cat = agent.upload(conversation, "cat.png", PNG)
    assert agent.act(conversation, "reply", text="", files=cat).status == 200
    until(lambda: "photo" in mine()[-1], within_s=ANSWER_S, what="the photo")
    assert mine()[-1]["photo"].content == PNG


@pytest.mark.parametrize(
    ("user", "address", "content", "reason"),
    [
        ("9103", "http://169.254.169.254/latest/meta-data/", None, "host-not-allowed"),
        ("9104", "{cdn}/page.png", b"<html><script>alert(1)</script>", "content-mismatch"),
        ("9105", "{cdn}/gone.png", None, "not-found"),
    ],
)
def test_the_customer_is_told_when_a_file_reached_nobody(
    world: World,
    texts: SystemTexts,  # noqa: F811
    user: str,
    address: str,
    content: bytes | None,
    reason: str,
) -> None:
    if content is not None:
        world.graph.files["page.png"] = content
    url = address.replace("{cdn}", f"{world.graph.url}/cdn")
    deliver_facebook(world.system, sent_files(f"mid-{user}", ("image", url), user=user))
    conversation = conversation_id("facebook", PAGE, user)
    ((_, state, found, _, _),) = fetched(world.system, conversation)
    assert (state in ("refused", "failed"), found) == (True, reason)
    settled(world.system)
    beginning = texts.render("utter_file_refused", "en").partition("{")[0]
    said = [words(message) for message in said_on_messenger(world, user)]
    assert [text for text in said if text.startswith(beginning)] == said[-1:]
    last = [m for m in world.graph.sent if m["recipient"]["id"] == user][-1]
    assert last["messaging_type"] == "RESPONSE"


def test_telegrams_token_is_in_no_file_and_on_no_page(world: World, agent: DeskAgent) -> None:
    conversation = conversation_id("telegram", "MelaBot", "9102")
    assert TOKEN not in agent.page(f"/inbox/mine/{conversation}")
    secret = TOKEN.partition(":")[2].encode()
    folder = world.system.state_dir
    assert CACHE not in folder.parents
    holding = [
        str(path) for path in folder.rglob("*") if path.is_file() and secret in path.read_bytes()
    ]
    assert holding == []


def test_erasing_takes_the_files_along(world: World) -> None:
    folder = world.system.state_dir / "files"
    conversation = conversation_id("facebook", PAGE, "9101")
    known = {
        row[0]
        for row in world.system.sql("select id from files where conversation = ?", conversation)
    }
    assert known & {path.name for path in folder.rglob("*")}
    erased = world.system.run("customer", "erase", "facebook:9101")
    assert erased.returncode == 0, erased.stderr
    assert not known & {path.name for path in folder.rglob("*")}
    assert world.system.sql("select 1 from files where conversation = ?", conversation) == []
