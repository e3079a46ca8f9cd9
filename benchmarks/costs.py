"""Storage per message: rows and bytes in SQL, bytes in Redis; for docs/scale.md."""

from __future__ import annotations

import contextlib
import sqlite3
import statistics
import time
from typing import Any

import redis

from benchmarks.systems import System
from bot.settings import Settings
from bot.stores import redis_client

SAMPLE = 500
"""Keys of a kind that are weighed."""
SETTLE_S = 3.0
"""Longest wait for the recorder after the last message."""


def stored(system: System) -> dict[str, float]:
    """Measure the stores of a running system that began empty.

    Returns:
        `{"sql_rows_per_message", "sql_bytes_per_message", "redis_bytes_per_conversation",
        "redis_bytes_per_message"}`; a message is a customer's, its answer included.
    """
    time.sleep(SETTLE_S)
    return {**_sql(system), **_redis(system)}


def _sql(system: System) -> dict[str, float]:
    path = system.folder / "samvad.sqlite3"
    with contextlib.closing(sqlite3.connect(path)) as database:

        def count(question: str) -> int:
            return int(database.execute(question).fetchone()[0])

        customer_messages = count("select count(*) from messages where author = 'customer'")
        rows = sum(count(f"select count(*) from {table}") for table in ("messages", "events"))
        # The trackers' and conversations' rows are rewritten with each message, not added.
        content = count("select coalesce(sum(length(body)), 0) from content_versions")
        size = count("select page_count * page_size from pragma_page_count, pragma_page_size")
    return {
        "sql_rows_per_message": round(rows / customer_messages, 2),
        "sql_bytes_per_message": round((size - content) / customer_messages),
    }


def _redis(system: System) -> dict[str, float]:
    address = redis_client.address(Settings(state_dir=system.folder))
    with redis.Redis.from_url(address, decode_responses=True) as client:
        weights = {kind: _weigh(client, kind) for kind in ("tracker:v1", "owner:v1", "seen")}
    return {
        "redis_bytes_per_conversation": round(weights["tracker:v1"] + weights["owner:v1"]),
        "redis_bytes_per_message": round(weights["seen"]),
    }


def _weigh(client: Any, kind: str) -> float:
    """Return the mean bytes of a key of this kind, with its share of the table of keys."""
    sizes = []
    for key in client.scan_iter(f"samvad:*:{kind}:*", count=1000):
        sizes.append(client.memory_usage(key, samples=0) or 0)
        if len(sizes) == SAMPLE:
            break
    return statistics.mean(sizes) if sizes else 0.0
