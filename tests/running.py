"""A whole running system for tests: `python -m bot serve` in a folder of its own, and its callers.

Nothing here imports what is tested but the settings' names: it talks HTTP, reads `/proc` and files.
"""

from __future__ import annotations

import contextlib
import http.cookiejar
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import settings_table

REPO = Path(__file__).resolve().parent.parent
CACHE = REPO / ".samvad" / "cache"
START_S = 300.0
ANSWER_S = 45.0
Found = TypeVar("Found")


def until(look: Callable[[], Found], *, within_s: float, what: str) -> Found:
    """Look again and again until something is found; a bound for failing tests, not a measure.

    Raises:
        AssertionError: Nothing was found; the last error, if any, is its cause.
    """
    deadline = time.monotonic() + within_s
    last: Exception | None = None
    while True:
        try:
            found = look()
            if found:
                return found
        except (OSError, AssertionError) as error:
            last = error
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {within_s:.0f} s") from last
        time.sleep(0.02)


def clean_environment(**values: str) -> dict[str, str]:
    """Return the environment without anything that would set up the system under test."""
    kept = {k: value for k, value in os.environ.items() if k not in settings_table.NAMES}
    # A test must not be slowed down by an embedding that fights for cores.
    return {**kept, "OMP_NUM_THREADS": "1", "RASA_TELEMETRY_ENABLED": "false", **values}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class Answer:
    """An HTTP answer."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.content)

    @property
    def code(self) -> str:
        """The stable word of an error answer."""
        return str(self.json["error"]["code"])


def call(
    method: str,
    url: str,
    body: Any = None,
    *,
    headers: Mapping[str, str] | None = None,
    timeout_s: float = ANSWER_S,
) -> Answer:
    """Send a request; a body that is no bytes goes as JSON. Errors of HTTP are answers too."""
    data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        url, data, {"Content-Type": "application/json", **(headers or {})}, method=method
    )
    try:
        with urllib.request.urlopen(request, timeout=timeout_s) as answer:
            return Answer(answer.status, dict(answer.headers), answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, dict(error.headers), error.read())


@dataclass
class System:
    """A running `serve` and what it wrote when it started."""

    process: subprocess.Popen[bytes]
    state_dir: Path
    ingress: str
    desk: str
    environment: Mapping[str, str] = field(repr=False)

    @property
    def logs(self) -> Path:
        return self.state_dir / "logs"

    @property
    def output(self) -> str:
        """What `serve` printed so far."""
        return (self.state_dir / "serve.out").read_text("utf-8", "replace")

    @property
    def logins(self) -> dict[str, str]:
        """Demo logins, name → password, from the file that was named when they were made."""
        named = re.search(r"^\s*Logins\s.*: passwords in (.+); delete", self.output, re.MULTILINE)
        text = Path(named[1]).read_text("utf-8") if named else ""
        found = re.findall(r"^(\S+) / (\S+)$", text, re.MULTILINE)
        return dict(found)

    @property
    def database(self) -> Path:
        return self.state_dir / "samvad.sqlite3"

    def health(self) -> dict[str, Any]:
        found: dict[str, Any] = call("GET", f"{self.ingress}/health").json
        return found

    def rest(self, sender: str, message: str = "", **more: str) -> list[dict[str, Any]]:
        """Send a message through the REST channel and return the turn's replies."""
        body = {"sender": sender, "message": message, **more}
        answer = call("POST", f"{self.ingress}/webhooks/rest/webhook", body)
        assert answer.status == 200, (answer.status, answer.content[:300])
        replies: list[dict[str, Any]] = answer.json
        return replies

    def pids(self) -> dict[str, int]:
        """Processes by name (`engine-0`, `sender`, …, `valkey`)."""
        found = {}
        for pid in _children_of(self.process.pid):
            words = _command_line(pid)
            if "--name" in words:
                found[words[words.index("--name") + 1].split("@")[0]] = pid
            elif words and "valkey" in Path(words[0]).name:
                found["valkey"] = pid
        return found

    def run(self, *arguments: str, timeout_s: float = 120) -> subprocess.CompletedProcess[str]:
        """Run `python -m bot …` with the system's own settings."""
        return subprocess.run(
            [sys.executable, "-m", "bot", *arguments],
            cwd=REPO,
            env=dict(self.environment),
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    def sql(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Read from the database file, as somebody else would."""
        with contextlib.closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)) as db:
            return db.execute(query, values).fetchall()

    def events(self, conversation: str, kind: str) -> list[dict[str, Any]]:
        """Return the data of a conversation's events of one type, oldest first."""
        rows = self.sql(
            "select data from events where conversation = ? and type = ? order by occurred_at, id",
            conversation,
            kind,
        )
        return [json.loads(row[0]) for row in rows]

    def recorded(self, conversation: str, kind: str, count: int = 1) -> list[dict[str, Any]]:
        """Wait until at least `count` such events are in SQL."""

        def look() -> list[dict[str, Any]]:
            found = self.events(conversation, kind)
            return found if len(found) >= count else []

        return until(look, within_s=20, what=f"{count} × {kind}")

    def drained(self) -> bool:
        """Nothing is under way: inbox and outbox are empty, and SQL has all that was said."""
        told = self.health()
        return bool(told["ok"]) and told["inbox"] == 0 and told["outbox"] == 0

    def stop(self) -> int:
        """Stop as an operator does; return the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(90)


@contextlib.contextmanager
def running(state_dir: Path, **environment: str) -> Iterator[System]:
    """Start a system and stop it afterwards."""
    state_dir.mkdir(parents=True, exist_ok=True)
    ports = free_port(), free_port()
    env = clean_environment(
        **{
            "SAMVAD_STATE_DIR": str(state_dir),
            "SAMVAD_CACHE_DIR": str(CACHE),
            "INGRESS_PORT": str(ports[0]),
            "DESK_PORT": str(ports[1]),
            # All customers of a test come from one address.
            "HANDOFFS_PER_ADDRESS": "10000",
            **environment,
        }
    )
    with (state_dir / "serve.out").open("wb") as output:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "bot",
                "serve",
                "--port",
                str(ports[0]),
                "--desk-port",
                str(ports[1]),
            ],
            cwd=REPO,
            env=env,
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
    system = System(
        process, state_dir, f"http://127.0.0.1:{ports[0]}", f"http://127.0.0.1:{ports[1]}", env
    )

    def is_up() -> bool:
        if process.poll() is not None:
            raise RuntimeError(f"serve ended with {process.returncode}:\n{system.output}")
        return "Ctrl-C" in system.output and call("GET", f"{system.ingress}/health").status == 200

    try:
        until(is_up, within_s=START_S, what="serve comes up")
        yield system
    finally:
        if process.poll() is None:
            system.stop()


class Visitor:
    """A browser with the widget: a session, and the messages it has been shown."""

    def __init__(self, system: System, locale: str = "") -> None:
        self.system = system
        self.locale = locale
        self.cursor = ""
        self.shown: list[dict[str, Any]] = []
        self._unread: list[dict[str, Any]] = []
        answer = self.post("session", {"site": "demo"})
        assert answer.status == 200, answer.content
        self.token = str(answer.json["token"])
        self.conversation = str(answer.json["conversation"])

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"} if hasattr(self, "token") else {}

    def post(self, what: str, body: Any) -> Answer:
        url = f"{self.system.ingress}/webhooks/webchat/{what}"
        return call("POST", url, body, headers=self.headers)

    def get(self, what: str, query: str = "") -> Answer:
        url = f"{self.system.ingress}/webhooks/webchat/{what}{query}"
        return call("GET", url, headers=self.headers)

    def send(self, text: str = "", **more: str) -> str:
        """Send a message (or `quick_reply=`, `kind="start"`) and return our id of it."""
        body = {"id": uuid.uuid4().hex, "text": text, **more}
        if self.locale:
            body["locale"] = self.locale

        def taken() -> Answer:
            # As the widget does while a store is away; it is the same message each time.
            answer = self.post("message", body)
            assert answer.status != 503, answer.content
            return answer

        answer = until(taken, within_s=ANSWER_S, what="the message is taken")
        assert answer.status == 202, (answer.status, answer.content)
        return str(answer.json["message"])

    def wait(self, count: int, *, author: str = "") -> list[dict[str, Any]]:
        """Return the next `count` messages that are not the customer's own, in order.

        More may come with one look; those wait for the next call.

        Args:
            author: Take this one's only, and leave others out.
        """

        def enough() -> bool:
            fresh = self._poll()
            self.shown += fresh
            self._unread += [m for m in fresh if m["author"] != "customer"]
            self._unread = [m for m in self._unread if author in ("", m["author"])]
            return len(self._unread) >= count

        until(enough, within_s=ANSWER_S, what=f"{count} messages")
        taken, self._unread = self._unread[:count], self._unread[count:]
        return taken

    def ask(self, text: str, count: int = 1) -> list[dict[str, Any]]:
        """Send and wait for `count` replies."""
        self.send(text)
        return self.wait(count)

    def history(self) -> list[dict[str, Any]]:
        answer = self.get("history")
        assert answer.status == 200, answer.content
        messages: list[dict[str, Any]] = answer.json["messages"]
        return messages

    def state(self) -> str:
        return str(self.get("history").json["state"])

    def _poll(self) -> list[dict[str, Any]]:
        answer = self.get("poll", f"?after={self.cursor}")
        assert answer.status == 200, answer.content
        self.cursor = answer.json["cursor"]
        return [f["message"] for f in answer.json["frames"] if f["type"] == "message"]


class DeskAgent:
    """A person at the desk, in a browser without scripts."""

    def __init__(self, system: System, login: str = "agent") -> None:
        self.desk = system.desk
        jar = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
        token = self._field(self.page("/login"), 'name="csrf" value')
        answer = self._post(
            "/login", {"csrf": token, "login": login, "password": system.logins[login]}
        )
        assert answer.status == 200, answer.content[:300]
        self.csrf = self._field(self.page("/inbox/waiting"), "data-csrf")

    def page(self, path: str) -> str:
        with self._opener.open(self.desk + path, timeout=ANSWER_S) as answer:
            return str(answer.read().decode())

    def act(self, conversation: str, what: str, **fields: str) -> Answer:
        """Claim, reply, return, resolve, … as the page's buttons do."""
        posted = {"csrf": self.csrf, "key": uuid.uuid4().hex, **fields}
        return self._post(f"/conversations/{conversation}/{what}", posted)

    def upload(self, conversation: str, name: str, content: bytes) -> str:
        """Upload a file for a reply; return its id."""
        request = urllib.request.Request(
            f"{self.desk}/conversations/{conversation}/files",
            content,
            {
                "Origin": self.desk,
                "X-CSRF-Token": self.csrf,
                "Accept": "application/json",
                "Content-Type": "application/octet-stream",
                "X-File-Name": urllib.parse.quote(name),
            },
        )
        answer = self._open(request)
        assert answer.status == 201, answer.content[:300]
        return str(answer.json["id"])

    def file(self, id_: str) -> Answer:
        """Open a file of a message."""
        return self._open(
            urllib.request.Request(f"{self.desk}/files/{id_}", None, {"Accept": "application/json"})
        )

    def _post(self, path: str, fields: Mapping[str, str]) -> Answer:
        request = urllib.request.Request(
            self.desk + path, urllib.parse.urlencode(fields).encode(), {"Origin": self.desk}
        )
        if path != "/login":
            request.add_header("Accept", "application/json")
        return self._open(request)

    def _open(self, request: urllib.request.Request) -> Answer:
        try:
            with self._opener.open(request, timeout=ANSWER_S) as answer:
                return Answer(answer.status, dict(answer.headers), answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, dict(error.headers), error.read())

    @staticmethod
    def _field(page: str, name: str) -> str:
        found = re.search(rf'{name}="([^"]+)"', page)
        assert found, f"no {name} on the page"
        return found[1]


def _children_of(parent: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                stat = (entry / "stat").read_text()
                if int(stat.rpartition(")")[2].split()[1]) == parent:
                    found.append(int(entry.name))
    return found


def _command_line(pid: int) -> list[str]:
    try:
        return (Path("/proc") / str(pid) / "cmdline").read_text().split("\0")
    except OSError:
        return []
