"""What must be there before the processes start; each step is skipped when nothing is to do."""

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
    """Do all steps; what is done already takes no time."""
    registry.off(settings)  # a bad setting of a channel stops the start here, and names its key
    database(settings)
    model()
    understanding()
    content(settings)


@contextmanager
def progress(what: str) -> Iterator[None]:
    """Say what takes long, while it does."""
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
    """Train the dialogue model if what shapes it has changed; content does not."""
    MODELS.mkdir(exist_ok=True)
    stamp = MODELS / "fingerprint"
    wanted = _fingerprint()
    trained = sorted(MODELS.glob("*.tar.gz"))
    if trained and stamp.exists() and stamp.read_text() == wanted:
        return
    with progress("training the dialogue model"):
        done = subprocess.run(
            [sys.executable, "-m", "rasa", "train", "--skip-validation"],
            capture_output=True,
            text=True,
            env={**os.environ, "RASA_TELEMETRY_ENABLED": "false"},
            check=False,
        )
    if done.returncode != 0:
        last = "\n".join(done.stderr.splitlines()[-8:] or done.stdout.splitlines()[-8:])
        raise ConfigurationError("rasa train", f"failed; it ended with:\n{last}")
    stamp.write_text(wanted)
    for old in trained:
        old.unlink(missing_ok=True)


def understanding() -> None:
    """Make the embedding graph and the sentiment head, the first time in a state folder."""
    with progress("understanding (embedding model, sentiment)"):
        # In a process of its own: the models are big, and whoever prepares them may stay small.
        done = subprocess.run(
            [sys.executable, "-m", "bot", "prepare"], capture_output=True, text=True, check=False
        )
    if done.returncode != 0:
        raise ConfigurationError("python -m bot prepare", f"failed:\n{done.stderr[-2000:]}")


def models_here(settings: Settings) -> None:
    """Make the files of the understanding in this very process."""
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
    """Create the demo logins if there is no user; return them for printing once."""
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
