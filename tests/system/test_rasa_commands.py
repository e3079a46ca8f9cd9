"""Rasa's own commands work in the root, as any Rasa developer expects."""

from __future__ import annotations

import codecs
import contextlib
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from running import CACHE, REPO, System, call, clean_environment, free_port, until

from bot.content.models import Content

COMMAND_S = 120
STATUS = "where is my order"


def environment(state_dir: Path) -> dict[str, str]:
    return clean_environment(
        SAMVAD_STATE_DIR=str(state_dir), SAMVAD_CACHE_DIR=str(CACHE), NO_COLOR="1"
    )


def rasa(state_dir: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "rasa", *arguments],
        cwd=REPO,
        env=environment(state_dir),
        capture_output=True,
        text=True,
        timeout=COMMAND_S,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr[-3000:]
    return done


def bot(state_dir: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bot", *arguments],
        cwd=REPO,
        env=environment(state_dir),
        capture_output=True,
        text=True,
        timeout=COMMAND_S,
        stdin=subprocess.DEVNULL,
        check=False,
    )


@pytest.mark.usefixtures("system")  # it trains the dialogue model if that is stale
class TestCommands:
    """Each in a state folder of its own."""

    def test_the_training_data_is_valid(self, tmp_path: Path) -> None:
        done = rasa(tmp_path, "data", "validate", "--fail-on-warnings")
        assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]

    def test_nlu_is_tested_by_entry_on_an_export(self, tmp_path: Path) -> None:
        """`rasa test nlu` asks no importer; the export is what it reads."""
        assert bot(tmp_path, "content", "publish").returncode == 0
        written = bot(tmp_path, "content", "export", str(tmp_path / "nlu"), "--nlu")
        assert written.returncode == 0, written.stderr
        # One topic shows that its entries are found, and is quicker than thousands of lines.
        topic = sorted((tmp_path / "nlu").glob("*.yml"))[0]
        out = tmp_path / "out"
        done = rasa(tmp_path, "test", "nlu", "--nlu", str(topic), "--out", str(out), "--no-plot")
        assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
        report = json.loads((out / "response_selection_report.json").read_text())
        entries = {name for name in report if name.startswith("faq/")}
        assert entries == set(re.findall(r"intent: (faq/\S+)", topic.read_text("utf-8")))
        assert report["accuracy"] > 0.9, "these are the examples it knows"

    def test_a_conversation_story_passes_and_a_wrong_one_fails(self, tmp_path: Path) -> None:
        """The stories of tests/conversations are run by `rasa test` in CI; here a few of each."""
        stories = tmp_path / "stories"
        stories.mkdir()
        for name in ("test_hi.yml", "test_clarify.yml"):
            (stories / name).write_text((REPO / "tests/conversations" / name).read_text())
        # Rasa also evaluates NLU data; a small file keeps that short.
        nlu = tmp_path / "nlu.yml"
        nlu.write_text(
            'version: "3.1"\nnlu:\n'
            "  - intent: greet\n    examples: |\n      - hello\n      - good morning\n"
            "  - intent: thanks\n    examples: |\n      - thank you\n      - thanks a lot\n"
        )
        given = (
            "test",
            "--stories",
            str(stories),
            "--nlu",
            str(nlu),
            "--out",
            str(tmp_path / "out"),
            "--fail-on-prediction-errors",
        )
        done = rasa(tmp_path, *given)
        assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
        wrong = (stories / "test_hi.yml").read_text().replace("faq/refund-time", "faq/warranty")
        # In its place: Rasa takes two stories with the same texts for one.
        (stories / "test_hi.yml").write_text(wrong)
        assert rasa(tmp_path, *given).returncode == 1

    def test_a_dry_run_of_the_training_says_what_it_would_do(self, tmp_path: Path) -> None:
        before = sorted((REPO / "models").iterdir())
        done = rasa(tmp_path, "train", "--dry-run", "--skip-validation")
        told = done.stdout + done.stderr
        assert "raining" in told, told[-2000:]
        assert done.returncode in (0, 1), told[-2000:]
        assert sorted((REPO / "models").iterdir()) == before


def test_every_language_has_a_conversation_story(published: Content) -> None:
    files = {path.stem for path in (REPO / "tests" / "conversations").glob("test_*.yml")}
    languages = set(published.entries[0].answers)
    assert {f"test_{language}" for language in languages} <= files
    text = "".join(p.read_text("utf-8") for p in (REPO / "tests/conversations").glob("*.yml"))
    for entry in re.findall(r"intent: faq/(\S+)", text):
        assert entry in published.by_id


def test_parse_prints_what_the_bot_makes_of_a_text(tmp_path: Path) -> None:
    done = bot(tmp_path, "parse", "where is my order? me@example.org", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert {"language", "intent", "confidence", "ranking", "sentiment", "entities"} <= told.keys()
    assert told["language"] == "en"
    assert told["intent"] == "faq/order-status"
    assert 0 < told["confidence"] <= 1
    assert told["ranking"][0]["intent"] == "faq/order-status"
    assert told["sentiment"]["label"] in ("negative", "neutral", "positive")
    assert "me@example.org" in [entity["value"] for entity in told["entities"]]
    lines = bot(tmp_path, "parse", "मेरा ऑर्डर कहाँ है?").stdout
    assert "faq/order-status" in lines


def test_help_names_every_command(tmp_path: Path) -> None:
    done = bot(tmp_path, "--help")
    assert done.returncode == 0
    for word in ("serve", "chat", "parse", "content", "report", "users", "engine", "desk"):
        assert word in done.stdout
    refused = bot(tmp_path, "no-such-command")
    assert refused.returncode == 2
    assert "Traceback" not in refused.stderr
    setting = subprocess.run(
        [sys.executable, "-m", "bot", "content", "validate"],
        cwd=REPO,
        env={**environment(tmp_path), "SAMVAD_SHARDS": "many"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert setting.returncode == 1
    assert "SAMVAD_SHARDS" in setting.stderr
    assert "Traceback" not in setting.stderr


class Terminal:
    """A program in a pseudo-terminal, and everything it has shown."""

    def __init__(self, *command: str, env: dict[str, str]) -> None:
        self.screen = ""
        self._decode = codecs.getincrementaldecoder("utf-8")("replace")
        self._main, theirs = pty.openpty()
        self.process = subprocess.Popen(
            command,
            cwd=REPO,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            env={**env, "TERM": "dumb", "COLUMNS": "400", "PROMPT_TOOLKIT_NO_CPR": "1"},
        )
        os.close(theirs)

    def type(self, text: str) -> None:
        os.write(self._main, text.encode() + b"\r")

    def shows(self, text: str, within_s: float = COMMAND_S) -> bool:
        deadline = time.monotonic() + within_s
        while text not in self.screen and time.monotonic() < deadline:
            if select.select([self._main], [], [], 0.2)[0]:
                try:
                    self.screen += self._decode.decode(os.read(self._main, 65536))
                except OSError:  # Linux says EIO when the other side has closed
                    break
        return text in self.screen

    def end(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        os.close(self._main)


@pytest.fixture
def terminal(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Terminal]:
    """Runs the command of the test's parameter."""
    made = Terminal(sys.executable, "-m", *request.param, env=environment(tmp_path))
    yield made
    made.end()


@pytest.mark.usefixtures("system")
@pytest.mark.parametrize("terminal", [("rasa", "shell")], indirect=True, ids=["rasa shell"])
def test_the_shell_answers_from_the_content(terminal: Terminal, published: Content) -> None:
    assert terminal.shows("Type a message and press enter"), terminal.screen[-3000:]
    terminal.type(STATUS)
    words = published.by_id["order-status"].answers["en"][:60]
    assert terminal.shows(words), terminal.screen[-3000:]
    assert "Traceback" not in terminal.screen


def test_the_terminal_chat_shows_reading_and_answer(system: System, published: Content) -> None:
    chat = Terminal(sys.executable, "-m", "bot", "chat", env=dict(system.environment))
    try:
        assert chat.shows("you ›"), chat.screen
        chat.type("मेरा ऑर्डर अभी तक कहाँ पहुँचा है?")
        assert chat.shows(published.by_id["order-status"].answers["hi"][:40]), chat.screen
        assert "hi · faq/order-status" in chat.screen
        assert "neutral" in chat.screen or "negative" in chat.screen
        first = published.by_id["order-status"].quick_replies[0].target
        assert chat.shows("1. "), chat.screen
        chat.type("1")
        assert chat.shows(published.by_id[first].answers["hi"][:40]), chat.screen
    finally:
        chat.end()


def test_rasa_run_serves_the_widgets_channel(system: System, published: Content) -> None:
    """Beside a running system, on its state folder: the same inbox, the same engine."""
    port = free_port()
    log = (system.state_dir / "rasa-run.out").open("wb")
    server = subprocess.Popen(
        [sys.executable, "-m", "rasa", "run", "--port", str(port), "--interface", "127.0.0.1"],
        cwd=REPO,
        env=dict(system.environment),
        stdout=log,
        stderr=log,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    base = f"http://127.0.0.1:{port}"
    api = f"{base}/webhooks/webchat"
    try:
        until(lambda: call("GET", base).status == 200, within_s=COMMAND_S, what="rasa run is up")
        opened = call("POST", f"{api}/session", {"site": "demo"})
        assert opened.status == 200, opened.content
        headers = {"Authorization": f"Bearer {opened.json['token']}"}
        taken = call(
            "POST", f"{api}/message", {"id": uuid.uuid4().hex, "text": STATUS}, headers=headers
        )
        assert taken.status == 202, taken.content

        def answered() -> list[str]:
            frames = call("GET", f"{api}/poll", headers=headers).json["frames"]
            texts = [frame["message"]["text"] for frame in frames]
            return texts if len(texts) >= 3 else []

        texts = until(answered, within_s=30, what="the answer")
        assert texts[0] == STATUS
        assert texts[2] == published.by_id["order-status"].answers["en"]
        refused = call("POST", f"{api}/message", b"{", headers=headers)
        assert (refused.status, refused.code) == (400, "not-json")
        # Rasa's own HTTP API reads and writes conversations of strangers: it stays off.
        assert call("GET", f"{base}/conversations/x/tracker").status in (403, 404)
        assert call("POST", f"{base}/model/parse", {"text": "hi"}).status in (403, 404)
    finally:
        server.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(30)
        if server.poll() is None:
            server.kill()
            server.wait()
        log.close()
