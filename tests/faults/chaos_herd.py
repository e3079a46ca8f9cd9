"""The processes of a system that the fault test kills, stops and starts again; Redis is one."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import json
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import aiohttp
import redis.asyncio
import sqlalchemy as sa
from running import REPO, clean_environment, free_port

from bot import health
from bot.processes.roles import ROLES
from bot.stores.database import with_our_driver
from bot.stores.redis_client import EmbeddedServer

READY_S = 120.0
LOOK_S = 0.05
_PR_SET_PDEATHSIG = 1
PLAN = (
    ("engine", "kill"),
    ("engine", "stop"),
    ("engine", "kill"),
    ("engine", "stop"),
    ("ingress", "kill"),
    ("ingress", "stop"),
    ("sender", "kill"),
    ("sender", "stop"),
    ("recorder", "kill"),
    ("recorder", "stop"),
    ("redis", "kill"),
    ("redis", "stop"),
    ("redis", "refuse"),
    ("database", "refuse"),
)
"""What may happen to whom; all of it happens once before anything happens again."""


@dataclass(frozen=True)
class Fault:
    """Something that was done to a process."""

    role: str
    kind: str
    """`kill` (SIGKILL; started again later), `stop` (SIGSTOP, later SIGCONT), or `refuse`: Redis is
    out of memory, the database only reads."""
    began: float
    """Unix seconds."""
    ended: float


@dataclass
class Animal:
    """A process we keep running."""

    name: str
    role: str
    arguments: list[str]
    process: subprocess.Popen[bytes] | None = None
    again_at: float = 0.0
    generation: int = 0
    log: IO[bytes] | None = field(default=None, repr=False)


class Herd:
    """Starts a system, maltreats it and keeps it alive.

    Args:
        counts: Role → number of processes.
        settings: Environment names and values beyond what every process here gets.
    """

    def __init__(
        self, folder: Path, counts: Mapping[str, int], settings: Mapping[str, str], lease_s: float
    ) -> None:
        self.folder = folder
        self.lease_s = lease_s
        self.redis = EmbeddedServer(folder)
        self.faults: list[Fault] = []
        self.environment = clean_environment(
            **{
                "SAMVAD_STATE_DIR": str(folder),
                "REDIS_URL": f"unix://{self.redis.socket}",
                "SAMVAD_LEASE_S": str(lease_s),
                "PYTHONUNBUFFERED": "1",
                "CONNECTIONS_PER_ADDRESS": "10000",
                "HANDOFFS_PER_ADDRESS": "10000",
                **settings,
            }
        )
        self.ports = [free_port() for _ in range(counts["ingress"])]
        self._animals = [
            Animal(f"{role}-{number}", role, [role])
            for role, count in counts.items()
            for number in range(count)
        ]
        for animal, port in zip(self._of("ingress"), self.ports, strict=True):
            animal.arguments += ["--port", str(port)]
        self._redis_again_at = 0.0

    @property
    def ingresses(self) -> list[str]:
        return [f"http://127.0.0.1:{port}" for port in self.ports]

    def prepare(self) -> None:
        """Start Redis, make the database and publish the content."""
        self.folder.mkdir(parents=True, exist_ok=True)
        assert self.redis.acquire()
        self.redis.start()
        for command in (["prepare"], ["content", "publish"]):
            done = subprocess.run(
                [sys.executable, "-m", "bot", *command],
                cwd=REPO,
                env=self.environment,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stderr[-2000:]

    async def start(self) -> None:
        for animal in self._animals:
            self._spawn(animal)
        await self.until_ready()

    async def until_ready(self) -> None:
        """Wait until every process is up.

        Raises:
            AssertionError: Not within `READY_S`; the message names the state.
        """
        wanted = {role: len(self._of(role)) for role in health.ROLES}
        deadline = time.monotonic() + READY_S
        told: object = "no answer"
        async with aiohttp.ClientSession() as session:
            while time.monotonic() < deadline:
                try:
                    answers = [await self._health(session, url) for url in self.ingresses]
                except (aiohttp.ClientError, TimeoutError, json.JSONDecodeError) as error:
                    told = repr(error)
                else:
                    told = answers
                    if all(
                        told["ok"] and all(told[role] >= wanted[role] for role in wanted)
                        for told in answers
                    ):
                        return
                await asyncio.sleep(0.2)
        raise AssertionError(f"not everything is up: {told}")

    @staticmethod
    async def _health(session: aiohttp.ClientSession, url: str) -> dict[str, object]:
        timeout = aiohttp.ClientTimeout(total=5)
        async with session.get(f"{url}/health", timeout=timeout) as answer:
            return dict(await answer.json())

    async def keep(self) -> None:
        """Start again what died, until cancelled."""
        while True:
            now = time.monotonic()
            if self.redis.process is not None and self.redis.process.poll() is not None:
                self._redis_again_at = self._redis_again_at or now + 0.2
                if now >= self._redis_again_at:
                    await asyncio.to_thread(self.redis.start)
                    self._redis_again_at = 0.0
            for animal in self._animals:
                if animal.process is not None and animal.process.poll() is not None:
                    animal.process = None
                    animal.again_at = max(animal.again_at, now + 0.2)
                if animal.process is None and now >= animal.again_at:
                    self._spawn(animal)
            await asyncio.sleep(LOOK_S)

    async def maltreat(self, dice: random.Random, pause_s: tuple[float, float]) -> None:
        """Do one thing after the other until cancelled; what was stopped goes on afterwards."""
        while True:
            for role, kind in dice.sample(PLAN, len(PLAN)):
                await asyncio.sleep(dice.uniform(*pause_s))
                await self._do(role, kind, dice)

    async def _refuse(self, role: str, for_s: float) -> None:
        """Let a store answer writes with a refusal for a while."""
        began = time.time()
        try:
            await self._set_refusing(role, refuses=True)
            self.faults.append(Fault(role, "refuse", began, began + for_s))
            await asyncio.sleep(for_s)
        finally:
            await self._set_refusing(role, refuses=False)

    async def _set_refusing(self, role: str, *, refuses: bool) -> None:
        if role == "redis":
            async with redis.asyncio.Redis.from_url(self.environment["REDIS_URL"]) as client:
                await client.config_set("maxmemory", "1" if refuses else "0")
            return
        what = "SET default_transaction_read_only = on" if refuses else "RESET ALL"
        await asyncio.to_thread(_at_postgresql, self.environment["DATABASE_URL"], what)

    async def _do(self, role: str, kind: str, dice: random.Random) -> None:
        if kind == "refuse":
            if role == "redis" or self.environment["DATABASE_URL"].startswith("postgresql"):
                with contextlib.suppress(redis.ConnectionError):  # it is dead just now
                    await self._refuse(role, dice.uniform(0.5, 2 * self.lease_s))
            return
        animal = None if role == "redis" else dice.choice(self._of(role))
        process = self.redis.process if animal is None else animal.process
        if process is None or process.poll() is not None:
            return
        began = time.time()
        if kind == "kill":
            away_s = dice.uniform(0.2, self.lease_s * 1.2)
            if animal is None:
                self._redis_again_at = time.monotonic() + away_s
            else:
                animal.again_at = time.monotonic() + away_s
                if dice.random() < 0.5:
                    animal.generation += 1  # a new machine: it has another name
            process.kill()
            self.faults.append(Fault(role, kind, began, began + away_s))
            return
        for_s = dice.uniform(0.3, self.lease_s * (1.2 if role in ("redis", "ingress") else 2.5))
        process.send_signal(signal.SIGSTOP)
        self.faults.append(Fault(role, kind, began, began + for_s))
        try:
            await asyncio.sleep(for_s)
        finally:
            process.send_signal(signal.SIGCONT)

    def stop(self) -> list[str]:
        """Stop everything; return the names of those that did not stop by themselves."""
        stubborn = []
        for role in ROLES:
            group = [a for a in self._of(role) if a.process and a.process.poll() is None]
            for animal in group:
                assert animal.process is not None
                animal.process.send_signal(signal.SIGCONT)
                animal.process.terminate()
            for animal in group:
                assert animal.process is not None
                try:
                    animal.process.wait(20)
                except subprocess.TimeoutExpired:
                    stubborn.append(animal.name)
                    animal.process.kill()
                    animal.process.wait()
        if self.redis.process is not None:
            self.redis.process.send_signal(signal.SIGCONT)
        self.redis.stop()
        return stubborn

    def logged(self, what: str) -> int:
        """Count a word in all logs."""
        logs = self.folder.glob("logs/*.log")
        return sum(path.read_text("utf-8", "replace").count(what) for path in logs)

    def animal(self, name: str) -> Animal:
        """Return a process by its role and number, such as `engine-0`."""
        return next(animal for animal in self._animals if animal.name == name)

    def count(self, query: str) -> int:
        """Read a number from the database file, where there is one."""
        path = f"file:{self.folder / 'samvad.sqlite3'}?mode=ro"
        with contextlib.closing(sqlite3.connect(path, uri=True)) as database:
            return int(database.execute(query).fetchone()[0])

    def _of(self, role: str) -> list[Animal]:
        return [animal for animal in self._animals if animal.role == role]

    def _spawn(self, animal: Animal) -> None:
        folder = self.folder / "logs"
        folder.mkdir(exist_ok=True)
        animal.log = animal.log or (folder / f"{animal.name}.log").open("ab")
        name = f"{animal.name}.{animal.generation}@{socket.gethostname()}"
        animal.process = subprocess.Popen(
            [sys.executable, "-m", "bot", *animal.arguments, "--name", name],
            cwd=REPO,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=animal.log,
            stderr=animal.log,
            start_new_session=True,
            preexec_fn=_end_with_us,
        )


def _at_postgresql(url: str, what: str) -> None:
    """Change a setting of the whole server, and let it read it."""
    engine = sa.create_engine(with_our_driver(url), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"ALTER SYSTEM {what}")
        connection.exec_driver_sql("SELECT pg_reload_conf()")
    engine.dispose()


def _end_with_us() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
