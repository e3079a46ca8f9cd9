"""`python -m bot serve`: starts all processes, keeps them running, and stops them."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from bot.errors import SamvadError
from bot.processes import prepare
from bot.processes.roles import ROLES
from bot.settings import Settings
from bot.stores import redis_client, secrets, state_folder
from bot.web import descriptors

READY_TIMEOUT_S = 120
STOP_TIMEOUT_S = 15
RESTART_PAUSES_S = (0.2, 0.5, 1.0, 2.0, 5.0)
WATCH_S = 0.2
CALM_S = 30
"""A process that ran this long is restarted with the shortest pause."""
FIRST_LOGINS = "first-logins"
"""File in `<state>/secrets` with the first passwords, where no terminal could show them."""
_PR_SET_PDEATHSIG = 1


@dataclass
class Child:
    """A process that is kept running."""

    name: str
    arguments: list[str]
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    failures: int = 0
    again_at: float = 0.0


class Supervisor:
    """Supervisor of the processes: starts, restarts and stops them, in the order of messages."""

    def __init__(self, settings: Settings, *, engines: int, log_to_files: bool) -> None:
        self._settings = settings
        self._to_files = log_to_files
        # A plain flag: an Event set by a signal handler deadlocks when a second signal comes in it.
        self._stopping = False
        self._server: redis_client.EmbeddedServer | None = None
        names: list[str] = []
        for role in ROLES:
            names += [f"engine-{n}" for n in range(engines)] if role == "engine" else [role]
        host = os.uname().nodename
        self._children = [
            Child(name, [name.split("-")[0], "--name", f"{name}@{host}"]) for name in names
        ]

    @property
    def stopping(self) -> bool:
        """Tell whether a stop was requested."""
        return self._stopping

    def start(self) -> None:
        """Prepare, start everything, and wait until it answers.

        Raises:
            SamvadError: A part does not start; the message says which and what to do.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._ask_to_stop)
        with prepare.progress("store"):
            self._server = redis_client.ensure_server(self._settings)
        prepare.everything(self._settings)
        for child in self._children:
            self._spawn(child)
        with prepare.progress("processes"):
            self._wait_until_ready()

    def watch(self) -> None:
        """Keep everything running until a stop is requested."""
        while not self._stopping:
            time.sleep(WATCH_S)
            now = time.monotonic()
            if self._server and self._server.process and self._server.process.poll() is not None:
                print("the embedded Redis server died; starting it again", flush=True)
                self._server.start()
            for child in self._children:
                if child.process is None:
                    if now >= child.again_at:
                        self._spawn(child)
                elif child.process.poll() is not None:
                    self._died(child, now)

    def _ask_to_stop(self, *_: object) -> None:
        self._stopping = True

    def stop(self) -> None:
        """Stop: first new messages, then turns, sending, recording; the store last."""
        for role in ROLES:
            group = [c for c in self._children if c.arguments[0] == role and c.process]
            for child in group:
                if child.process and child.process.poll() is None:
                    child.process.terminate()
            for child in group:
                assert child.process is not None  # noqa: S101 - filtered above
                try:
                    child.process.wait(STOP_TIMEOUT_S)
                except subprocess.TimeoutExpired:
                    child.process.kill()
                    child.process.wait()
        if self._server:
            self._server.stop()

    def _spawn(self, child: Child) -> None:
        arguments = [sys.executable, "-m", "bot", *child.arguments]
        with contextlib.ExitStack() as stack:
            output: IO[bytes] | None = None
            if self._to_files:
                folder = self._settings.state_dir.resolve() / "logs"
                state_folder.ensure(folder.parent)
                folder.mkdir(exist_ok=True)
                path = folder / f"{child.name}.log"
                # The process opens the file itself, to begin new ones; until then its words,
                # and its last ones, go here.
                output = stack.enter_context(path.open("ab"))
                arguments += ["--log", str(path)]
            child.process = subprocess.Popen(  # noqa: S603 - our own interpreter, no shell
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                # Ctrl-C reaches the whole group; the order of stopping is ours.
                start_new_session=True,
                # One port for probes cannot serve all; here the supervisor looks after them.
                env={**os.environ, "PYTHONUNBUFFERED": "1", "HEALTH_PORT": "0"},
                preexec_fn=_die_with_parent,
            )
        child.started_at = time.monotonic()

    def _died(self, child: Child, now: float) -> None:
        assert child.process is not None  # noqa: S101 - the caller has looked
        code = child.process.returncode
        child.failures = 0 if now - child.started_at > CALM_S else child.failures + 1
        pause = RESTART_PAUSES_S[min(child.failures, len(RESTART_PAUSES_S) - 1)]
        print(f"{child.name} ended (exit {code}); starting it again in {pause} s", flush=True)
        child.process = None
        child.again_at = now + pause

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_TIMEOUT_S
        wanted = [("ingress", self._settings.ingress_port), ("desk", self._settings.desk_port)]
        while wanted and not self._stopping:
            wanted = [part for part in wanted if not _healthy(self._settings.host, part[1])]
            dead = [c for c in self._children if c.process and c.process.poll() is not None]
            if dead or time.monotonic() > deadline:
                names = ", ".join(c.name for c in dead) or "the health page"
                raise SamvadError(f"{names} did not come up; {self._last_words(dead)}")
            time.sleep(0.1)

    def _last_words(self, dead: list[Child]) -> str:
        if not self._to_files:
            return "see the output above"
        folder = self._settings.state_dir / "logs"
        lines = []
        for child in dead or self._children:
            path: Path = folder / f"{child.name}.log"
            tail = path.read_text("utf-8", "replace").splitlines()[-3:] if path.exists() else []
            lines += [f"{path}:", *(f"  {line}" for line in tail)]
        return "the logs end with\n" + "\n".join(lines)


def run(settings: Settings, *, engines: int, log_to_files: bool) -> int:
    """Serve until stopped; return the exit code."""
    descriptors.raise_limit()
    supervisor = Supervisor(settings, engines=engines, log_to_files=log_to_files)
    try:
        supervisor.start()
    except BaseException:
        supervisor.stop()
        raise
    if supervisor.stopping:
        supervisor.stop()
        return 0
    logins = prepare.demo_users(settings)
    _print_addresses(settings, logins, log_to_files)
    try:
        supervisor.watch()
    finally:
        print("stopping …", flush=True)
        supervisor.stop()
    return 0


def _print_addresses(settings: Settings, logins: list[tuple[str, str]], log_to_files: bool) -> None:
    ingress = f"http://{settings.host}:{settings.ingress_port}"
    desk = f"http://{settings.host}:{settings.desk_port}"
    lines = [
        "",
        f"  Shop page with the widget   {ingress}/",
        f"  Agents' desk                {desk}/",
        f"  Health                      {ingress}/health",
    ]
    lines += _login_lines(settings, logins)
    if log_to_files:
        lines.append(f"  Logs                        {settings.state_dir / 'logs'}")
    print("\n".join([*lines, "", "  Ctrl-C stops everything.", ""]), flush=True)


def _login_lines(settings: Settings, logins: list[tuple[str, str]]) -> list[str]:
    """Tell the first passwords to whoever looks on, and no log: a file has them otherwise."""
    if not logins:
        return []
    if sys.stdout.isatty():
        return [
            f"  Login                       {name} / {password}   (shown only now)"
            for name, password in logins
        ]
    path = secrets.keep(
        settings.state_dir, FIRST_LOGINS, "".join(f"{name} / {word}\n" for name, word in logins)
    )
    names = ", ".join(name for name, _ in logins)
    return [f"  Logins                      {names}: passwords in {path}; delete it then"]


def _healthy(host: str, port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://{host}:{port}/health", timeout=5) as answer:
            return bool(json.load(answer).get("ok"))
    except (urllib.error.URLError, OSError, ValueError):
        return False


def _die_with_parent() -> None:
    """On Linux, have this child stopped when the supervisor dies; elsewhere do nothing."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
