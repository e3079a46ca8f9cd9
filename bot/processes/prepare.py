"""Preparation before the processes start; steps with nothing to do are skipped."""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bot.content import publishing, versions
from bot.content.load import load_folder
from bot.errors import ConfigurationError
from bot.settings import Settings
from bot.stores import state_folder
from bot.stores.database import Database
from bot.stores.migrate import upgrade
from channels import registry

QUIET_S = 2.0
"""Steps shorter than this say nothing."""
MODELS = Path("models")
_SHAPES_MODEL = ("config.yml", "domain.yml", "data/rules.yml", "data/stories.yml")


def everything(settings: Settings) -> None:
    """Run all steps; those already done take no time."""
    registry.off(settings)  # a bad setting of a channel stops the start here, and names its key
    database(settings)
    model()
    understanding()
    content(settings)


@contextmanager
def progress(what: str) -> Iterator[None]:
    """Print a step that takes long, while it runs."""
    done = threading.Event()
    started = time.monotonic()

    def tell() -> None:
        if not done.wait(QUIET_S):
            print(f"  {what} …", end="", flush=True)
            while not done.wait(1.0):
                print(".", end="", flush=True)
            print(f" {time.monotonic() - started:.0f} s", flush=True)

    teller = threading.Thread(target=tell, daemon=True)
    teller.start()
    try:
        yield
    finally:
        done.set()
        teller.join()


def database(settings: Settings) -> None:
    """Bring the database to the newest schema, once, under a lock."""
    state_folder.ensure(settings.state_dir)
    with progress("database"), (settings.state_dir / "migrate.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        upgrade(settings.sql_url)


def model() -> None:
    """Train the dialogue model if its inputs have changed; content is no input."""
    MODELS.mkdir(exist_ok=True)
    stamp = MODELS / "fingerprint"
    fingerprint = _fingerprint()
    trained = sorted(MODELS.glob("*.tar.gz"))
    if trained and stamp.exists() and stamp.read_text() == fingerprint:
        return
    with progress("training the dialogue model"):
        finished = subprocess.run(
            [sys.executable, "-m", "rasa", "train", "--skip-validation"],
            capture_output=True,
            text=True,
            env={**os.environ, "RASA_TELEMETRY_ENABLED": "false"},
            check=False,
        )
    if finished.returncode != 0:
        end_of_output = "\n".join(
            finished.stderr.splitlines()[-8:] or finished.stdout.splitlines()[-8:]
        )
        raise ConfigurationError("rasa train", f"failed; it ended with:\n{end_of_output}")
    stamp.write_text(fingerprint)
    for old in trained:
        old.unlink(missing_ok=True)


def understanding() -> None:
    """Create the embedding graph and the sentiment model, the first time in a state folder."""
    with progress("understanding (embedding model, sentiment)"):
        # In a separate process: the models are big, and this process stays small.
        finished = subprocess.run(
            [sys.executable, "-m", "bot", "prepare"], capture_output=True, text=True, check=False
        )
    if finished.returncode != 0:
        raise ConfigurationError("python -m bot prepare", f"failed:\n{finished.stderr[-2000:]}")


def models_here(settings: Settings) -> None:
    """Create the files of the models in this process."""
    from bot.understanding.service import Understander

    understander = Understander.load(settings)
    understander.learn(load_folder(settings.data_dir / "faq", settings.languages))


def content(settings: Settings) -> None:
    """Publish the content files as version 1 if nothing was ever published."""
    store = Database.of(settings)
    try:
        if store.call(versions.live_number) == 0:
            folder = settings.data_dir / "faq"
            loaded = load_folder(folder, settings.languages)
            written = store.call(
                lambda c: versions.write(c, loaded, based_on=None, author="start", note="first")
            )
            publishing.remember_base(settings.state_dir, folder, written.number)
    finally:
        store.close()


def demo_users(settings: Settings) -> list[tuple[str, str]]:
    """Create the demo logins if there are no users; return them for printing once."""
    from bot.desk.people.users import create_demo_users

    store = Database.of(settings)
    try:
        return create_demo_users(store)
    finally:
        store.close()


def _fingerprint() -> str:
    digest = hashlib.sha256()
    files = [Path(name) for name in _SHAPES_MODEL] + sorted(Path("bot/nlu").glob("*.py"))
    for path in files:
        if path.exists():
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
