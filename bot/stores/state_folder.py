"""The state folder, and who may look into it: customers' words and password hashes lie there.

Processes and commands start with a umask that closes what they write (`private`); the folder is
closed as well, which also holds for what Redis or SQLite make. A folder that was made before, or by
somebody else, is left as it is, and the log says so.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import structlog

log = structlog.get_logger()

UMASK = 0o077
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_told: set[Path] = set()


def ensure(folder: Path) -> Path:
    """Make the folder for its owner only; warn, once in a process, if others may look into it."""
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
    mode = stat.S_IMODE(folder.stat().st_mode)
    if mode & _OTHERS and folder not in _told:
        _told.add(folder)
        log.warning(
            "state_folder.open",
            path=str(folder),
            mode=f"{mode:03o}",
            hint=f"others on this machine may read it; chmod -R go-rwx {folder}",
        )
    return folder


@contextlib.contextmanager
def private() -> Iterator[None]:
    """Let nobody but the owner read what is written meanwhile, by child processes as well."""
    before = os.umask(UMASK)
    try:
        yield
    finally:
        os.umask(before)
