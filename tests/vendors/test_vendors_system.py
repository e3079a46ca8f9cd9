"""From a vendor's delivery to the vendor's API, through every real process."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from typing import Any

import pytest
from running import ANSWER_S, REPO, System, call, until
from vendors.conftest import SECRET, World
from vendors.graph_server import PAGE, TOKEN, delivery, echo, said, signed
from vendors.telegram_server import TOKEN as BOT_TOKEN
from vendors.telegram_server import private, tapped

from bot.content.load import load_folder
from bot.content.models import Entry
from bot.content.texts import SystemTexts
from bot.language.detect import detect
from bot.settings import Settings
from bot.streams.messages import conversation_id

FACEBOOK = "/webhooks/facebook/webhook"
TELEGRAM = "/webhooks/telegram/MelaBot/webhook"
ENTRY = "order-status"
NAME = Settings().business_name


@pytest.fixture(scope="module")
def entry() -> Entry:
    return load_folder(REPO / "data" / "faq", Settings().languages).by_id[ENTRY]


@pytest.fixture(scope="module")
def texts() -> SystemTexts:
    return SystemTexts.load(path=REPO / "domain.yml")


def question(entry: Entry, language: str) -> str:
    return next(t for t in entry.examples[language] if detect(t).language == language)


def settled(system: System) -> None:
    until(system.drained, within_s=ANSWER_S, what="everything is sent")


def deliver_facebook(system: System, *events: Any) -> None:
    body = delivery(*events)
    assert call("POST", system.ingress + FACEBOOK, body, headers=signed(body)).status == 200


def deliver_telegram(world: World, update: Any) -> None:
    headers = {"X-Telegram-Bot-Api-Secret-Token": SECRET}
    answer = call("POST", world.system.ingress + TELEGRAM, update, headers=headers)
    assert answer.status == 200
    world.bot_api.run_answer(answer.content)


def said_on_messenger(world: World, user: str) -> list[dict[str, Any]]:
    return [m["message"] for m in world.graph.sent if m["recipient"]["id"] == user]


def words(message: dict[str, Any]) -> str:
    if "attachment" in message:
        return str(message["attachment"]["payload"]["text"])
    return str(message["text"])


def test_a_signed_delivery_leads_to_exactly_one_right_answer_in_hindi(
    world: World, entry: Entry, texts: SystemTexts
) -> None:
    asked = said(question(entry, "hi"), "mid-hi-1", user="9001")
    for _ in range(3):  # Messenger delivers again what it thinks was not taken
        deliver_facebook(world.system, asked)
    until(lambda: len(said_on_messenger(world, "9001")) >= 2, within_s=ANSWER_S, what="answer")
    settled(world.system)
    first, *answer = said_on_messenger(world, "9001")
    assert words(first) == texts.render("utter_bot_intro", "hi", business=NAME)
    assert " ".join(map(words, answer)).startswith(entry.answers["hi"])
    mine = [m for m in world.graph.sent if m["recipient"]["id"] == "9001"]
    assert all(m["messaging_type"] == "RESPONSE" for m in mine)
    # The last button says that it did not help: a person takes over, in Hindi.
    tap = answer[-1]["quick_replies"][-1]
    before = len(said_on_messenger(world, "9001"))
    deliver_facebook(
        world.system,
        said(tap["title"], "mid-hi-2", user="9001", quick_reply={"payload": tap["payload"]}),
    )
    until(lambda: len(said_on_messenger(world, "9001")) > before, within_s=ANSWER_S, what="reply")
    settled(world.system)
    conversation = conversation_id("facebook", PAGE, "9001")
    (tapped_event,) = world.system.recorded(conversation, "quick-reply.tapped")
    assert tapped_event["action"] == "not-helped"
    assert len(world.system.events(conversation, "message.received")) == 2


def test_telegram_answers_in_hindi_a_second_apart_and_stops_the_buttons_spinning(
    world: World, entry: Entry, texts: SystemTexts
) -> None:
    for _ in range(3):
        deliver_telegram(world, private(70, question(entry, "hi"), user=9002))

    def mine() -> list[dict[str, Any]]:
        return [m for m in world.bot_api.sent if m["chat_id"] == 9002]

    until(lambda: len(mine()) >= 2, within_s=ANSWER_S, what="answer")
    settled(world.system)
    first, answer = mine()
    assert first["text"] == texts.render("utter_bot_intro", "hi", business=NAME)
    assert answer["text"] == entry.answers["hi"]
    keys = [key for row in answer["reply_markup"]["inline_keyboard"] for key in row]
    helped = next(k for k in keys if k["text"] == texts.render("utter_title_helped", "hi"))
    world.bot_api.queries.add("query-9002")
    deliver_telegram(world, tapped(71, helped["callback_data"], user=9002, query="query-9002"))
    assert "query-9002" in world.bot_api.answered
    until(lambda: len(mine()) >= 3, within_s=ANSWER_S, what="thanks")
    settled(world.system)
    assert [m["text"] for m in mine()[2:]] == [texts.render("utter_helped", "hi")]


def test_the_bot_is_silent_when_a_person_answers_from_the_page_inbox(
    world: World, entry: Entry
) -> None:
    deliver_facebook(world.system, said(question(entry, "en"), "mid-en-1", user="9003"))
    until(lambda: len(said_on_messenger(world, "9003")) >= 2, within_s=ANSWER_S, what="answer")
    settled(world.system)
    before = len(said_on_messenger(world, "9003"))
    deliver_facebook(world.system, echo("Let me look into it.", "mid-echo", user="9003"))
    deliver_facebook(world.system, said(question(entry, "en"), "mid-en-2", user="9003"))
    conversation = conversation_id("facebook", PAGE, "9003")
    assert len(world.system.recorded(conversation, "message.received", 2)) == 2
    settled(world.system)
    assert len(said_on_messenger(world, "9003")) == before
    state = world.system.sql("select state, cause from conversations where id = ?", conversation)
    assert state == [("assigned", "agent-takeover")]


def test_what_is_blocked_is_marked_failed(world: World, entry: Entry) -> None:
    world.bot_api.blocked.add(9004)
    deliver_telegram(world, private(80, question(entry, "en"), user=9004))
    conversation = conversation_id("telegram", "MelaBot", "9004")
    failed = world.system.recorded(conversation, "message.failed", 2)
    assert {event["reason"] for event in failed} == {"blocked"}


def test_typing_2_acts_as_the_second_button(world: World, entry: Entry) -> None:
    deliver_facebook(world.system, said(question(entry, "hi"), "mid-two-1", user="9005"))
    until(lambda: len(said_on_messenger(world, "9005")) >= 2, within_s=ANSWER_S, what="answer")
    settled(world.system)
    deliver_facebook(world.system, said("२", "mid-two-2", user="9005"))
    conversation = conversation_id("facebook", PAGE, "9005")
    (tap,) = world.system.recorded(conversation, "quick-reply.tapped")
    assert (tap["position"], tap["typed"]) == (1, True)


def test_the_commands_set_up_and_poll(world: World, entry: Entry) -> None:
    shown = world.system.run("telegram", "setup", "--show")
    assert shown.returncode == 0, shown.stderr
    assert "bot MelaBot" in shown.stdout
    refused = world.system.run("telegram", "setup")
    assert (refused.returncode, refused.stderr[:18]) == (1, "error: PUBLIC_URL:")
    assert world.system.run("facebook", "setup").returncode == 0
    assert PAGE in world.graph.profile
    # As a shell starts it in the background: Ctrl-C must end it all the same.
    ignoring = ["sh", "-c", 'trap "" INT; exec "$@"', "sh"]
    command = [*ignoring, sys.executable, "-m", "bot", "telegram", "poll"]
    polling = subprocess.Popen(command, cwd=REPO, env=dict(world.system.environment))
    try:
        world.bot_api.updates.append(private(90, question(entry, "th"), user=9006))

        def answered() -> bool:
            return [m["chat_id"] for m in world.bot_api.sent].count(9006) >= 2

        until(answered, within_s=ANSWER_S, what="an answer to what was polled")
    finally:
        polling.send_signal(signal.SIGINT)
        polling.wait(20)
    assert world.bot_api.sent[-1]["text"] == entry.answers["th"]


def test_no_log_line_holds_a_token_or_a_customers_words(world: World) -> None:
    logs = "\n".join(p.read_text("utf-8", "replace") for p in world.system.logs.iterdir())
    for secret in (TOKEN, BOT_TOKEN, SECRET, "app-secret", "verify-me", "Let me look into it"):
        assert secret not in logs + world.system.output
    assert json.dumps("facebook.received")[1:-1] in logs
