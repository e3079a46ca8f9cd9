"""Systems under test: started, measured and stopped; all on loopback.

Both answer Rasa's REST channel: `POST /webhooks/rest/webhook`.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import figures
from bot.settings import Settings, names
from channels.registry import CHANNELS

REPO = Path(__file__).resolve().parent.parent
START_S = 300.0
STOP_S = 60.0
SETTLED_S = 2.0
SETTLED_SHARE = 0.2
"""Of a core; idle processes look at Redis now and then."""
FIRST_QUESTION = "where is my order"


class BenchmarkError(Exception):
    """Error of a measurement; the message says where to look."""


@dataclass
class System:
    """A running system."""

    name: str
    """`run_samvad` or `vanilla`."""
    url: str
    """Where messages are posted."""
    folder: Path
    processes: list[subprocess.Popen[bytes]]
    start_s: float = 0.0
    """From starting the processes to the first answer."""
    desk: str = ""
    """Address of the desk; ours only."""
    environment: dict[str, str] = field(default_factory=dict, repr=False)

    def pids(self) -> list[int]:
        return [pid for process in self.processes for pid in figures.tree(process.pid)]

    def cpu_s(self) -> float:
        """Return the CPU seconds of all its processes so far."""
        return sum(figures.cpu_s(pid) for pid in self.pids())

    def cpu_by_process(self) -> dict[str, float]:
        """Return CPU seconds so far by process name."""
        return {figures.name_of(pid): figures.cpu_s(pid) for pid in self.pids()}

    def memory_mb(self) -> dict[str, dict[str, float]]:
        """Return process name → `{"rss_mb", "pss_mb"}`."""
        memory_by_process = {}
        for pid in self.pids():
            with contextlib.suppress(OSError):
                used = figures.memory(pid)
                memory_by_process[figures.name_of(pid)] = {
                    "rss_mb": used.rss_mb,
                    "pss_mb": used.pss_mb,
                }
        return dict(sorted(memory_by_process.items()))

    def body(self, customer: str, text: str) -> dict[str, str]:
        return {"sender": customer, "message": text}

    def tap(self, customer: str, replies: list[dict[str, Any]], index: int) -> dict[str, str]:
        """Tap one of the last answer's buttons that lead to an entry; {} if there is none."""
        buttons = [
            button
            for reply in replies
            for button in (reply.get("quick_replies") or reply.get("buttons") or ())
            if button.get("entry") or str(button["payload"]).startswith("/faq")
        ]
        if not buttons:
            return {}
        payload = buttons[index % len(buttons)]["payload"]
        if self.name == "ours":
            return {"sender": customer, "message": "", "quick_reply": payload}
        return self.body(customer, payload)

    def ask(self, customer: str, text: str) -> list[dict[str, Any]]:
        """Post one message and return the replies."""
        return _post(self.url, self.body(customer, text))

    def settle(self, within_s: float = 300.0) -> None:
        """Wait until the system is idle: seeded rows are indexed, caches are warm."""
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            began = self.cpu_s()
            time.sleep(SETTLED_S)
            if self.cpu_s() - began < SETTLED_SHARE * SETTLED_S:
                return
        raise BenchmarkError(f"{self.name} is still busy after {within_s:.0f} s without messages")

    def run(self, *arguments: str, timeout_s: float = 600) -> subprocess.CompletedProcess[str]:
        """Run `python -m bot …` beside the running system."""
        return subprocess.run(
            [sys.executable, "-m", "bot", *arguments],
            cwd=REPO,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )


@contextlib.contextmanager
def run_samvad(
    folder: Path,
    *,
    engines: int = 1,
    cache_dir: Path | None = None,
    checkout: Path = REPO,
    python: str = sys.executable,
    **settings: str,
) -> Iterator[System]:
    """Run `python -m bot serve` with its own state folder.

    Args:
        cache_dir: Embedder, vectors and indexes; default the repository's own.
        checkout: Folder whose code runs.
        python: Interpreter of the environment it runs in.
        settings: More of the environment.
    """
    folder.mkdir(parents=True, exist_ok=True)
    port, desk_port = free_port(), free_port()
    environment = our_environment(folder, cache_dir, **settings)
    environment.update(INGRESS_PORT=str(port), DESK_PORT=str(desk_port))
    command = [
        python,
        "-m",
        "bot",
        "serve",
        "--engines",
        str(engines),
        "--port",
        str(port),
        "--desk-port",
        str(desk_port),
    ]
    with contextlib.ExitStack() as stack:
        started = time.monotonic()
        process = stack.enter_context(
            process_of(command, checkout, environment, folder / "serve.out")
        )
        system = System(
            "ours",
            f"http://127.0.0.1:{port}/webhooks/rest/webhook",
            folder,
            [process],
            desk=f"http://127.0.0.1:{desk_port}",
            environment=environment,
        )
        await_answer(system, folder / "serve.out")
        system.start_s = round(time.monotonic() - started, 2)
        yield system


def our_environment(folder: Path, cache_dir: Path | None = None, **settings: str) -> dict[str, str]:
    """Return the environment of our processes, without other variables of the shell."""
    owners = (Settings, *(channel.settings for channel in CHANNELS))
    setting_names = {name for owner in owners for name in names(owner)}
    environment = {
        key: value
        for key, value in os.environ.items()
        if key not in setting_names and not key.startswith("SAMVAD_")
    }
    cache = cache_dir or Path(os.environ.get("SAMVAD_CACHE_DIR", REPO / ".samvad" / "cache"))
    return {
        **environment,
        "SAMVAD_STATE_DIR": str(folder),
        "SAMVAD_CACHE_DIR": str(cache),
        "RASA_TELEMETRY_ENABLED": "false",
        "CONNECTIONS_PER_ADDRESS": "10000",
        "HANDOFFS_PER_ADDRESS": "10000",
        **settings,
    }


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def process_of(
    command: list[str], cwd: Path, environment: dict[str, str], output: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process while the context lasts; its descendants end with it."""
    with output.open("wb") as file:
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env=environment,
            stdout=file,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        descendants = figures.tree(process.pid)[1:] if process.poll() is None else []
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for pid in descendants:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def await_answer(system: System, output: Path) -> None:
    """Wait for the first answer.

    Raises:
        BenchmarkError: A process ended, or none came.
    """

    def look() -> bool:
        for process in system.processes:
            if process.poll() is not None:
                raise BenchmarkError(f"{system.name} ended ({process.returncode}); see {output}")
        return bool(system.ask(f"first-{os.getpid()}", FIRST_QUESTION))

    _until(look, START_S, f"{system.name} answers (see {output})")


def _until(look: Callable[[], bool], within_s: float, what: str) -> None:
    deadline = time.monotonic() + within_s
    while True:
        with contextlib.suppress(OSError, ValueError):
            if look():
                return
        if time.monotonic() > deadline:
            raise BenchmarkError(f"not within {within_s:.0f} s: {what}")
        time.sleep(0.05)


def _post(url: str, body: dict[str, str]) -> list[dict[str, Any]]:
    request = urllib.request.Request(
        url, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        replies: list[dict[str, Any]] = json.load(answer)
        return replies
