"""Health report, the same on the ingress and on the desk."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection
from typing import Any

import redis.asyncio
import sqlalchemy as sa
from aiohttp import web

from bot import remote
from bot.content import versions
from bot.errors import StoreUnavailable
from bot.language import translate
from bot.settings import Settings
from bot.stores import not_now, redis_keys
from bot.stores.database import Database
from bot.stores.redis_client import guarded

TIMEOUT_S = 3.0
WRITE_S = 1.0
"""How long a store may take to write. An orchestrator that asks `/ready` waits hardly longer."""
KEPT_S = 1.0
"""Seconds for which a report is shown again."""
ROLES = ("engine", "sender", "recorder", "housekeeper")
"""Roles of processes that the report checks; each keeps an entry among the holders."""


class Latest:
    """Report of a process's health page, made at most once a second, however many ask.

    Args:
        make: Looks at every part; `ok` says whether all are up.
    """

    def __init__(self, make: Callable[[], Awaitable[dict[str, Any]]]) -> None:
        self._make = make
        self._making = asyncio.Lock()
        self._report: dict[str, Any] = {}
        self._made_at = float("-inf")

    async def answer(self, *, full: bool) -> web.Response:
        """Answer a request: 503 when a part is down.

        Args:
            full: Show the whole report, not only whether all is up.
        """
        async with self._making:
            if time.monotonic() - self._made_at >= KEPT_S:
                self._report = await self._make()
                self._made_at = time.monotonic()
        report = self._report
        if full and remote.UNTRUSTED.address:
            report = {**report, "untrusted_proxy": remote.UNTRUSTED.address}
        return web.json_response(
            report if full else {"ok": report["ok"]},
            status=200 if report["ok"] else 503,
            headers={"Cache-Control": "no-store"},
        )


async def check(
    settings: Settings, client: redis.asyncio.Redis, database: Database
) -> dict[str, Any]:
    """Check every part of the system.

    Returns:
        `{"ok": bool, "redis": bool, "database": bool, "engine": n, "sender": n, "recorder": n,
        "housekeeper": n, "content": {"live": n, "engines": {name: n}}, "model": name, "inbox": n,
        "outbox": n}`, `refused` (`{"<channel> <code>": n}`) once there are any, `set_aside`
        (`{loop: n}`, bot.stores.set_aside) while there is any, `why` (`{store: reason}`) while a
        store takes no writes, and `translation`
        (bot.language.translate.figures) when a provider is set, whose failures
        do not count; `ok` is False when a part is down, and HTTP answers 503 then.
    """
    report: dict[str, Any] = {"ok": True, "redis": False, "database": False}
    why, *_ = await asyncio.gather(
        refusals(client, database),
        _look_at_redis(settings, client, report),
        _look_at_database(database, report),
    )
    for store in why:
        report[store] = False
    if why:
        report["why"] = why
    report["ok"] = bool(
        report["redis"]
        and report["database"]
        and all(report.get(role) for role in ROLES)
        and report.get("content", {}).get("live")
    )
    return report


async def _look_at_redis(
    settings: Settings, client: redis.asyncio.Redis, report: dict[str, Any]
) -> None:
    with contextlib.suppress(StoreUnavailable, TimeoutError):
        async with asyncio.timeout(TIMEOUT_S):
            await _redis_parts(settings, client, report)
            report["redis"] = True


async def _look_at_database(database: Database, report: dict[str, Any]) -> None:
    with contextlib.suppress(StoreUnavailable, TimeoutError, sa.exc.SQLAlchemyError):
        async with asyncio.timeout(TIMEOUT_S):
            live = await database.read(versions.live_number)
            report.setdefault("content", {})["live"] = live
            report["database"] = True


async def refusals(client: redis.asyncio.Redis, database: Database | None = None) -> dict[str, str]:
    """Return store → why it takes no writes now, one of `not_now.REASONS`; empty when all do.

    It is tested by writing, since a read-only server answers everything else.
    """
    writes: dict[str, Awaitable[object]] = {
        "redis": guarded(client.set(redis_keys.HEALTH, "1", ex=60))
    }
    if database is not None:
        writes["database"] = database.check_writes()
    # At once: where both hang, whoever asks whether we live waits no longer than for one.
    reasons = await asyncio.gather(*(_refusal(answer) for answer in writes.values()))
    return {store: why for store, why in zip(writes, reasons, strict=True) if why}


async def _refusal(write: Awaitable[object]) -> str:
    """Return why a store did not take a write within `WRITE_S`; empty when it did."""
    try:
        async with asyncio.timeout(WRITE_S):
            await write
    except StoreUnavailable as error:
        return error.why
    except TimeoutError:
        return not_now.TIMED_OUT
    except sa.exc.SQLAlchemyError:
        return not_now.SYSTEM
    return ""


async def _redis_parts(
    settings: Settings, client: redis.asyncio.Redis, report: dict[str, Any]
) -> None:
    now = time.time()
    alive: list[Any] = []
    everybody: set[str] = set()
    for role in ROLES:
        names: list[Any] = await guarded(
            client.zrangebyscore(redis_keys.holders(role), now, "+inf")
        )
        report[role] = len(names)
        everybody.update(names)
        if role == "engine":
            alive = names
    ready: Any = await guarded(client.hgetall(redis_keys.CONTENT_READY))
    reports = {name: json.loads(text) for name, text in ready.items() if name in alive}
    engines = {name: item["version"] for name, item in reports.items()}
    report.setdefault("content", {})["engines"] = engines
    report["model"] = next((item["model"] for item in reports.values()), None)
    pipeline = client.pipeline(transaction=False)
    for shard in range(settings.shards):
        pipeline.xlen(redis_keys.inbox(shard))
        pipeline.xlen(redis_keys.outbox(shard))
        pipeline.xlen(redis_keys.record(shard))
    lengths = await guarded(pipeline.execute())
    for place, stream in enumerate(("inbox", "outbox", "record")):
        report[stream] = sum(lengths[place::3])
    if settings.translation_provider:
        report["translation"] = await translate.figures(settings.translation_provider, client)
    refused: Any = await guarded(client.hgetall(redis_keys.REFUSED))
    if refused:
        report["refused"] = {key: int(count) for key, count in sorted(refused.items())}
    if odd := await _set_aside(client, everybody):
        report["set_aside"] = odd


async def _set_aside(client: redis.asyncio.Redis, alive: Collection[str]) -> dict[str, int]:
    """Return loop → rows set aside after unexpected errors, over all living processes."""
    stored: Any = await guarded(client.hgetall(redis_keys.SET_ASIDE))
    counts: Counter[str] = Counter()
    for name, text in stored.items():
        if name in alive:
            counts.update(json.loads(text))
    return dict(sorted(counts.items()))
