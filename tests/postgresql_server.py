"""A real PostgreSQL for the contract tests, in a temporary folder, from Debian's binaries.

It listens on a socket in that folder only, trusts whoever may reach it, and forgets everything at
the end; a database at the newest schema is made once and copied for each test.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from running import free_port

from bot.stores.database import with_our_driver

START_S = 60.0
TEMPLATE = "template_samvad"
# Nothing here has to survive a crash. Waiting for the disk would be most of the time.
QUICK = (
    "fsync=off",
    "full_page_writes=off",
    "synchronous_commit=off",
    "shared_buffers=32MB",
    "max_connections=200",
    "autovacuum=off",
    "max_wal_size=256MB",
)
_PR_SET_PDEATHSIG = 1


def folder_of_binaries() -> Path | None:
    """Return the folder with `initdb` and `postgres`, newest version first; None without any."""
    found = shutil.which("initdb")
    if found and shutil.which("postgres"):
        return Path(found).parent
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=_version, reverse=True)
    return debian[0].parent if debian else None


@dataclass
class Server:
    """A running server."""

    folder: Path
    process: subprocess.Popen[bytes]
    numbers: count[int]
    host: str = ""
    port: int = 5432

    @classmethod
    def start(cls, binaries: Path, host: str = "") -> Server:
        """Make a cluster and start it.

        Args:
            host: Loopback address to listen on; empty for a socket in the folder only.

        Raises:
            AssertionError: It does not come up; the message ends with its log.
        """
        # Not pytest's folder: as root the server runs as somebody who may not look into that.
        folder = Path(tempfile.mkdtemp(prefix="samvad-pg-"))
        account = _account()
        if account:
            os.chown(folder, account["user"], account["group"])
        data, log = folder / "data", folder / "log"
        made = subprocess.run(
            [
                binaries / "initdb",
                "--pgdata",
                data,
                "--username",
                "samvad",
                "--auth",
                "trust",
                "--encoding",
                "UTF8",
                "--locale",
                "C.UTF-8",
                "--no-sync",
                "--no-instructions",
            ],
            capture_output=True,
            text=True,
            check=False,
            cwd=folder,
            **account,
        )
        assert made.returncode == 0, made.stderr
        options = [part for setting in QUICK for part in ("-c", setting)]
        port = free_port() if host else cls.port
        with log.open("wb") as output:
            process = subprocess.Popen(
                [
                    binaries / "postgres",
                    "-D",
                    data,
                    "-k",
                    folder,
                    "-h",
                    host,
                    "-p",
                    str(port),
                    *options,
                ],
                stdout=output,
                stderr=output,
                stdin=subprocess.DEVNULL,
                cwd=folder,
                start_new_session=True,
                preexec_fn=_end_with_parent,
                **account,
            )
        server = cls(folder, process, count(1), host, port)
        deadline = time.monotonic() + START_S
        while not server._answers():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.02)
        return server

    def url(self, name: str) -> str:
        if self.host:
            return f"postgresql://samvad@{self.host}:{self.port}/{name}"
        return f"postgresql://samvad@/{name}?host={self.folder}"

    def create(self, template: str = "template0") -> str:
        """Make a database as a copy of another; return its name."""
        name = f"test_{next(self.numbers)}"
        self._execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def rename(self, name: str, to: str) -> None:
        self._execute(f"ALTER DATABASE {name} RENAME TO {to}")

    def drop(self, name: str) -> None:
        """Remove a database, with connections a test has left open."""
        self._execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def stop(self) -> None:
        self.process.send_signal(signal.SIGINT)  # "fast": ends connections, then itself
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _execute(self, statement: str) -> None:
        address = with_our_driver(self.url("postgres"))
        engine = sa.create_engine(address, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql(statement)
        engine.dispose()

    def _answers(self) -> bool:
        try:
            self._execute("SELECT 1")
        except sa.exc.OperationalError:
            return False
        return True


def _account() -> dict[str, Any]:
    """Whom to run as: PostgreSQL refuses to run as root."""
    if os.getuid() != 0:
        return {}
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    entry = known.get("postgres") or known["nobody"]
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGINT)


def _version(path: Path) -> int:
    return int(path.parts[-3]) if path.parts[-3].isdigit() else 0
