"""Every command in README works: run here as it stands, or by the test or CI step named here.

The commands run in a copy of the root made of links, with `models/` of its own, so that training
and starting leave the developer's files alone. Pages are checked in test_docs.py.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import settings_table
from running import CACHE, REPO, START_S, call, clean_environment, free_port, until

from bot import events
from bot.stores.redis_client import EmbeddedServer

HERE = "here"
PROVEN = {
    "make run": HERE,
    "make test": ".ci/run",
    "make train": HERE,
    "uv run python -m bot chat": HERE,
    'uv run python -m bot parse "mera order kab aayega"': HERE,
    'uv run python -m bot parse --json "¿Dónde está mi pedido?"': HERE,
    "uv run rasa train": "Makefile",
    "uv run rasa shell": "tests/system/test_rasa_commands.py",
    "uv run rasa data validate": "tests/system/test_rasa_commands.py",
    "uv run rasa test --stories tests/conversations": "tests/system/test_rasa_commands.py",
    "uv run python -m bot content validate": HERE,
    "uv run python -m bot content publish": HERE,
    "uv run python -m bot content versions": HERE,
    "uv run python -m bot content rollback 1": HERE,
    "uv run python -m bot content export my-faq": HERE,
    "uv run python -m bot report quick-replies": HERE,
    'uv run python -m bot users add meera --name "Meera" --role agent': HERE,
    'uv run python -m bot users add boss --name "Boss" --role admin': HERE,
    "uv run python -m bot prepare": HERE,
    "uv run python -m bot ingress": HERE,
    "uv run python -m bot engine": HERE,
    "uv run python -m bot sender": HERE,
    "uv run python -m bot recorder": HERE,
    "uv run python -m bot desk": HERE,
    "uv run python -m bot housekeeper": HERE,
}
"""Command → `here`, or the file that runs it."""
NEEDLES = {
    "make test": "make test",
    "uv run rasa train": "$(RUN) rasa train",
    "uv run rasa shell": '"shell"',
    "uv run rasa data validate": '"validate"',
    "uv run rasa test --stories tests/conversations": "tests/conversations",
}
RUN_S = 400
"""A bound for a machine that must first prepare the understanding, not a measure."""
PROCESSES = ("ingress", "engine", "sender", "recorder", "desk", "housekeeper")

pytestmark = pytest.mark.timeout(900)


def commands() -> list[str]:
    """Lines of README's shell blocks, in order, settings left out."""
    text = (REPO / "README.md").read_text("utf-8")
    blocks = re.findall(r"^ *```sh\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)
    return [line.strip() for block in blocks for line in block.splitlines() if line.strip()]


def make_root(folder: Path) -> Path:
    """The project root as links; what commands write stays in `folder`."""
    folder.mkdir(parents=True)
    for entry in REPO.iterdir():
        if entry.name not in {".git", ".samvad", ".rasa", "models", "results"}:
            (folder / entry.name).symlink_to(entry)
    if (REPO / "models").exists():
        shutil.copytree(REPO / "models", folder / "models")
    return folder


@dataclass(frozen=True)
class Shell:
    """Runs commands as README writes them."""

    root: Path
    environment: Mapping[str, str]

    def run(self, command: str, given: str = "") -> str:
        assert command in commands(), f"README has no {command!r}"
        done = subprocess.run(
            ["bash", "-c", _made(command)],
            cwd=self.root,
            env=dict(self.environment),
            input=given,
            capture_output=True,
            text=True,
            timeout=RUN_S,
            check=False,
        )
        assert done.returncode == 0, (done.stdout[-1000:], done.stderr[-2000:])
        return done.stdout

    def start(self, command: str, output: Path) -> subprocess.Popen[bytes]:
        assert command in commands(), f"README has no {command!r}"
        with output.open("wb") as file:
            return subprocess.Popen(
                ["bash", "-c", f"exec {_made(command)}"],
                cwd=self.root,
                env=dict(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                start_new_session=True,
            )

    @property
    def ingress(self) -> str:
        return f"http://127.0.0.1:{self.environment['INGRESS_PORT']}"

    def health(self) -> dict[str, object]:
        answer = call("GET", f"{self.ingress}/health")
        return dict(answer.json) if answer.status == 200 else {}


def _made(command: str) -> str:
    """Let make believe the environment is there; made again for a root of links it would break."""
    return command.replace("make ", "make -o env ")


def make_shell(folder: Path, **environment: str) -> Shell:
    """A shell with its own state folder and ports; `uv` is the one `make` uses."""
    found = shutil.which("uv") or str(REPO / ".uv" / "bin" / "uv")
    paths = os.pathsep.join([str(Path(found).parent), os.environ["PATH"]])
    return Shell(
        make_root(folder / "root"),
        clean_environment(
            SAMVAD_STATE_DIR=str(folder / "state"),
            SAMVAD_CACHE_DIR=str(CACHE),
            INGRESS_PORT=str(free_port()),
            DESK_PORT=str(free_port()),
            # The environment is what runs this test; a lock under repair must not change it.
            UV_NO_SYNC="1",
            PATH=paths,
            PYTHONUNBUFFERED="1",
            NO_COLOR="1",
            **environment,
        ),
    )


@pytest.fixture(scope="module")
def laptop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """`make run`, as a newcomer starts it; Ctrl-C at the end."""
    folder = tmp_path_factory.mktemp("laptop")
    shell, output = make_shell(folder), folder / "run.out"
    process = shell.start("make run", output)

    def is_up() -> bool:
        assert process.poll() is None or pytest.fail(output.read_text("utf-8", "replace"))
        return "Ctrl-C stops everything" in output.read_text("utf-8", "replace")

    try:
        until(is_up, within_s=2 * START_S, what="make run comes up")
        yield shell
    finally:
        os.killpg(process.pid, signal.SIGINT)
        process.wait(90)
    assert "stopping …" in output.read_text("utf-8")


def test_every_command_has_a_proof() -> None:
    settings = set(settings_table.NAMES)
    exports = [c for c in commands() if c.startswith("export ")]
    assert {re.split(r"[ =]", line)[1] for line in exports} <= settings
    assert set(commands()) - set(exports) == set(PROVEN)
    for command, where in PROVEN.items():
        if where != HERE:
            assert NEEDLES[command] in (REPO / where).read_text("utf-8"), (command, where)


def test_make_run_answers_and_says_where(laptop: Shell) -> None:
    assert laptop.health()["ok"]
    page = call("GET", f"{laptop.ingress}/")
    assert page.status == 200
    assert b"widget.js" in page.content


def test_chat_answers_in_the_customers_language(laptop: Shell) -> None:
    told = laptop.run("uv run python -m bot chat", "where is my order?\nमेरा ऑर्डर कहाँ है?\n")
    assert "en · faq/order-status" in told
    assert "hi · faq/order-status" in told
    assert "मेरे ऑर्डर" in told


def test_parse_shows_what_the_bot_makes_of_a_text(laptop: Shell) -> None:
    told = laptop.run('uv run python -m bot parse "mera order kab aayega"')
    assert re.search(r"language +hi .*in Latin letters", told)
    assert "faq/order-status" in told
    read = json.loads(laptop.run('uv run python -m bot parse --json "¿Dónde está mi pedido?"'))
    assert (read["language"], read["intent"]) == ("es", "faq/order-status")


def test_content_commands_move_the_live_version(laptop: Shell) -> None:
    assert "all well" in laptop.run("uv run python -m bot content validate")
    laptop.run("uv run python -m bot content export my-faq")
    assert (laptop.root / "my-faq" / "orders.yml").exists()
    assert "nothing differs" in laptop.run("uv run python -m bot content publish")
    # Version 1 is live, so going back to it changes nothing, and says so.
    assert "nothing differs from version 1" in laptop.run("uv run python -m bot content rollback 1")
    assert re.match(r" +1 live ", laptop.run("uv run python -m bot content versions"))


def test_report_and_users(laptop: Shell) -> None:
    call("POST", f"{laptop.ingress}/webhooks/rest/webhook", {"sender": "r", "message": "hello"})
    report = "uv run python -m bot report quick-replies"
    until(
        lambda: re.search(r"^person +en +rest", laptop.run(report), re.MULTILINE),
        within_s=30,
        what="the report counts a showing",
    )
    adding = 'uv run python -m bot users add meera --name "Meera" --role agent'
    assert "meera can log in" in laptop.run(adding, "a long enough password\n")


def test_events_have_the_data_of_their_dataclass(laptop: Shell) -> None:
    for text in ("where is my order?", "asdf qwer zxcv", "I want to talk to a person", "cancel"):
        body = {"sender": "events", "message": text}
        assert call("POST", f"{laptop.ingress}/webhooks/rest/webhook", body).status == 200
    database = Path(laptop.environment["SAMVAD_STATE_DIR"]) / "samvad.sqlite3"

    def stored() -> list[tuple[str, str]]:
        with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as db:
            found = db.execute("select type, data from events").fetchall()
        return found if any(kind == "handoff.cancelled" for kind, _ in found) else []

    seen = until(stored, within_s=30, what="the last event is stored")
    for kind, data in seen:
        found, listed = json.loads(data).keys(), events.keys(kind).keys()
        assert listed - events.optional(kind) <= found <= listed, kind


def test_make_train_writes_a_model(tmp_path: Path) -> None:
    shell = make_shell(tmp_path)
    shutil.rmtree(shell.root / "models", ignore_errors=True)
    shell.run("make train")
    assert list((shell.root / "models").glob("*.tar.gz"))


def test_processes_alone_make_a_system(tmp_path: Path, trained_model: Path) -> None:
    """Several machines: one Redis, one database, each process by its own command."""
    server = EmbeddedServer(tmp_path / "redis")
    assert server.acquire()
    server.start()
    shell = make_shell(
        tmp_path / "machine",
        REDIS_URL=f"unix://{server.socket}",
        DATABASE_URL=os.environ.get("DATABASE_URL") or f"sqlite:///{tmp_path / 'shared.sqlite3'}",
        WEBCHAT_SECRET="at-least-sixteen-characters",
        SESSION_SECRET="another-sixteen-characters",
    )
    started = []
    try:
        shell.run("uv run python -m bot prepare")
        assert "live" in shell.run("uv run python -m bot content publish")
        first = 'uv run python -m bot users add boss --name "Boss" --role admin'
        assert "boss can log in" in shell.run(first, "a long enough password\n")
        for role in PROCESSES:
            command = f"uv run python -m bot {role}"
            started.append(shell.start(command, tmp_path / f"{role}.out"))
        until(lambda: shell.health().get("ok"), within_s=START_S, what="the parts find each other")
        body = {"sender": "several", "message": "where is my order?"}
        answer = call("POST", f"{shell.ingress}/webhooks/rest/webhook", body)
        assert [reply.get("entry") for reply in answer.json] == [None, "order-status"]
    finally:
        for process in started:
            process.send_signal(signal.SIGTERM)  # uv passes it on
        codes = [process.wait(60) for process in started]
        server.stop()
    assert codes == [0] * len(PROCESSES)
