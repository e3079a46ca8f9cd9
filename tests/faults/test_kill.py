"""Processes die at the worst moments: nothing is lost, nothing doubled, nobody's owner changes."""

from __future__ import annotations

import http.client
import os
import signal
import time
import urllib.error
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import redis
from running import DeskAgent, System, Visitor, call, running, until

from bot.content.models import Content
from bot.settings import Settings
from bot.stores import redis_client, redis_keys

ENTRIES = (
    "order-status",
    "refund-time",
    "payment-methods",
    "warranty",
    "opening-hours",
    "delivery-cost",
    "size-guide",
    "contact-phone",
    "cookies",
)
CUSTOMERS = 8
KILLS = (
    "engine-0",
    "sender",
    "engine-0",
    "recorder",
    "ingress",
    "valkey",
    "engine-0",
    "desk",
    "valkey",
)
"""In each wave every customer writes once, and while that is under way this process is killed."""
CHAOS_S = 60.0
PERSON = "I want to talk to a person"


def backlog(system: System) -> int:
    """Rows under way in Redis: messages, replies and what SQL does not have yet."""
    settings = Settings(state_dir=system.state_dir)
    with redis.Redis.from_url(redis_client.address(settings)) as client:
        return sum(
            client.xlen(key(shard))
            for shard in range(settings.shards)
            for key in (redis_keys.inbox, redis_keys.outbox, redis_keys.record)
        )


def drain(system: System) -> None:
    """Wait until all parts are up and nothing is under way."""

    def is_empty() -> bool:
        try:
            desk = call("GET", f"{system.desk}/health", timeout_s=10)
            return bool(system.health()["ok"] and desk.status == 200 and backlog(system) == 0)
        except (redis.RedisError, urllib.error.URLError, http.client.HTTPException, KeyError):
            return False

    until(is_empty, within_s=CHAOS_S, what="everything is worked off")


def kill(system: System, name: str) -> None:
    """End a process without a word, as a machine's memory killer does."""

    def strike() -> bool:
        pid = system.pids().get(name)
        if pid is None:
            return False
        os.kill(pid, signal.SIGKILL)
        return True

    until(strike, within_s=30, what=f"{name} is there to be killed")


@dataclass
class Customer:
    """Writes one message after the other, each again and again until it is accepted."""

    visitor: Visitor
    texts: list[str]
    taken: list[str] = field(default_factory=list)

    def write(self) -> None:
        """Write the next message."""
        body = {"id": uuid.uuid4().hex, "text": self.texts[len(self.taken)]}
        self.taken.append(until(lambda: self._try(body), within_s=CHAOS_S, what="accepted"))

    def _try(self, body: dict[str, str]) -> str:
        url = f"{self.visitor.system.ingress}/webhooks/webchat/message"
        try:
            answer = call("POST", url, body, headers=self.visitor.headers, timeout_s=10)
        except (urllib.error.URLError, OSError, http.client.HTTPException):
            time.sleep(0.1)  # as the widget does: a pause, then the same message again
            return ""
        if answer.status == 503:
            time.sleep(0.3)
            return ""
        assert answer.status == 202, answer.content
        return str(answer.json["message"])


def told(visitor: Visitor) -> list[dict[str, Any]]:
    """Everything a browser that connects now is shown, from the beginning."""
    answer = visitor.get("poll", "?after=0-0")
    assert answer.status == 200
    return [frame["message"] for frame in answer.json["frames"]]


def harass(system: System, customers: list[Customer]) -> None:
    """Let all customers write, wave by wave, and kill one process in the midst of each."""
    with ThreadPoolExecutor(len(customers)) as pool:
        for name in KILLS:
            writing = [pool.submit(customer.write) for customer in customers]
            until(lambda: under_way(system), within_s=CHAOS_S, what="work")
            kill(system, name)
            for one in writing:
                one.result()


def under_way(system: System) -> bool:
    try:
        return backlog(system) > 0
    except redis.RedisError:
        return False


def test_killed_processes_lose_and_double_nothing(system: System, published: Content) -> None:
    agent = DeskAgent(system)
    waiting, assigned = Visitor(system), Visitor(system)
    for visitor in (waiting, assigned):
        visitor.ask(PERSON, 2)
    assert agent.act(assigned.conversation, "claim").status == 200
    assigned.wait(1)
    owner_before = system.sql(
        "select state, owner, cause, waiting_since, version from conversations where id in (?, ?)"
        " order by id",
        waiting.conversation,
        assigned.conversation,
    )

    questions = [published.by_id[entry].examples["en"][0] for entry in ENTRIES]
    customers = [Customer(Visitor(system), questions) for _ in range(CUSTOMERS - 2)]
    leaving = [Customer(Visitor(system), [*questions[:-1], PERSON]) for _ in range(2)]
    harass(system, [*customers, *leaving])
    drain(system)
    assert system.output.count("(exit -9)") == len(KILLS) - KILLS.count("valkey"), system.output
    assert system.output.count("embedded Redis server died") == KILLS.count("valkey")

    answers = [published.by_id[entry].answers["en"] for entry in ENTRIES]
    for customer in customers:
        shown = told(customer.visitor)
        assert [m["text"] for m in shown if m["author"] == "customer"] == customer.texts
        intro, *replies = [m for m in shown if m["author"] != "customer"]
        assert "bot" in intro["text"]
        assert [m["text"] for m in replies] == answers
        assert [m["id"] for m in replies] == [
            f"{taken}:{1 if place == 0 else 0}" for place, taken in enumerate(customer.taken)
        ]
    for customer in leaving:
        replies = [m for m in told(customer.visitor) if m["author"] != "customer"]
        assert [m["text"] for m in replies[1:-1]] == answers[:-1]
        assert customer.visitor.state() == "waiting"
        assert len(system.events(customer.visitor.conversation, "handoff.requested")) == 1
    owner_after = system.sql(
        "select state, owner, cause, waiting_since, version from conversations where id in (?, ?)"
        " order by id",
        waiting.conversation,
        assigned.conversation,
    )
    assert owner_after == owner_before
    assert system.sql("select count(*) from dead_letters") == [(0,)]


def test_the_desk_goes_on_after_it_was_killed(system: System) -> None:
    visitor, agent = Visitor(system), DeskAgent(system)
    visitor.ask(PERSON, 2)
    agent.act(visitor.conversation, "claim")
    visitor.wait(1)
    key = uuid.uuid4().hex
    kill(system, "desk")

    def answered() -> bool:
        return agent.act(visitor.conversation, "reply", text="I am here.", key=key).status == 200

    until(answered, within_s=30, what="the desk is back")
    assert answered(), "the same click again is no error"
    drain(system)
    assert [m["text"] for m in told(visitor) if m["author"] == "agent"] == ["I am here."]


def test_an_empty_redis_is_as_if_nothing_had_happened(system: System, published: Content) -> None:
    agent = DeskAgent(system)
    spanish, hindi, waiting, assigned = (Visitor(system) for _ in range(4))
    _, first = spanish.ask("¿Dónde está mi pedido?", 2)
    hindi.ask("speak Hindi please", 2)
    waiting.ask(PERSON, 2)
    assigned.ask(PERSON, 2)
    agent.act(assigned.conversation, "claim")
    assigned.wait(1)
    drain(system)
    before = {v.conversation: v.history() for v in (spanish, hindi, waiting, assigned)}
    with redis.Redis.from_url(redis_client.address(Settings(state_dir=system.state_dir))) as client:
        client.flushall()
    for visitor in (spanish, hindi, waiting, assigned):
        now = visitor.history()
        assert [m["text"] for m in now] == [m["text"] for m in before[visitor.conversation]]
        visitor.cursor = ""

    # The language that was spoken, and the one that was asked for; no second introduction.
    tapped = first["quick_replies"][0]
    spanish.send(quick_reply=tapped["id"])
    (answer,) = spanish.wait(1)
    assert answer["language"] == "es"
    assert answer["text"] in [entry.answers["es"] for entry in published.entries]
    (answer,) = hindi.ask("¿Dónde está mi pedido?")
    assert answer["text"] == published.by_id["order-status"].answers["hi"]

    # The queue, and whose conversation it is.
    assert waiting.state() == "waiting"
    assert agent.act(waiting.conversation, "claim").status == 200
    assert [m["author"] for m in waiting.wait(1)] == ["automatic"]
    heard = assigned.send("are you still there?")
    until(
        lambda: system.sql("select id from messages where id = ?", heard),
        within_s=20,
        what="the message joins the transcript",
    )
    drain(system)
    assert [m["author"] for m in told(assigned)] == ["customer"]
    assert agent.act(assigned.conversation, "reply", text="Yes.").status == 200
    assert [m["text"] for m in told_when(assigned, 2)] == ["are you still there?", "Yes."]
    assert system.health()["ok"]


def told_when(visitor: Visitor, count: int) -> list[dict[str, Any]]:
    def look() -> list[dict[str, Any]]:
        shown = told(visitor)
        return shown if len(shown) >= count else []

    return until(look, within_s=20, what=f"{count} messages")


def test_a_stop_loses_nothing_and_the_next_start_goes_on(
    system: System, published: Content
) -> None:
    """Last: ends the system of this module in the orderly way, with work under way."""
    spanish, waiting = Visitor(system), Visitor(system)
    spanish.ask("¿Dónde está mi pedido?", 2)
    waiting.ask(PERSON, 2)
    spanish.send("¿Cuánto tarda un reembolso?")
    pids = system.pids()
    assert system.stop() == 0, system.output
    assert "stopping" in system.output
    left = {name: pid for name, pid in pids.items() if Path(f"/proc/{pid}/cwd").exists()}
    assert not left, "everything that was started is stopped"

    with running(system.state_dir) as again:
        for visitor in (spanish, waiting):
            visitor.system = again
        shown = until(lambda: whole(spanish, 5), within_s=30, what="the answer")
        assert [m["text"] for m in shown if m["author"] == "bot"][1:] == [
            published.by_id["order-status"].answers["es"],
            published.by_id["refund-time"].answers["es"],
        ]
        assert waiting.state() == "waiting"
        assert again.logins == {}, "demo passwords are shown once only"
        (answer,) = [m for m in ask(spanish, "¿Cuánto cuesta el envío?") if m["author"] == "bot"]
        assert answer["text"] == published.by_id["delivery-cost"].answers["es"]


def whole(visitor: Visitor, count: int) -> list[dict[str, Any]]:
    shown = visitor.history()
    return shown if len(shown) >= count else []


def ask(visitor: Visitor, text: str) -> list[dict[str, Any]]:
    """Ask, and return what is new in the history."""
    before = visitor.history()
    visitor.send(text)
    shown = until(lambda: whole(visitor, len(before) + 2), within_s=30, what="question and answer")
    return shown[len(before) :]
