"""Writer of `docs/scale.md`: a capacity model, filled with the figures of `speed.json`.

`python -m benchmarks.scale` writes the page; `make bench` does so at its end. A figure that was
not measured is "not measured", and so is everything that follows from it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks import results
from benchmarks.tables import NONE, at

TEMPLATE = Path(__file__).parent / "texts" / "scale.md"

GIVEN: Mapping[str, float] = {
    "rate": 1000.0,  # customer messages a second, at the peak
    "conversations": 10_000_000.0,  # a day
    "machines": 100.0,
    "cores_each": 2.0,
    "memory_each_gb": 8.0,
    "busy": 0.5,  # share of a core used at the peak, so that losing a third is survived
    "kept_days": 7.0,  # bot/stores/redis_keys.py: CONVERSATION_TTL_S
    "seen_days": 2.0,  # bot/stores/redis_keys.py: SEEN_TTL_S
    "retained_days": 365.0,
    "replicas": 2.0,  # copies of each Redis shard's memory
    "postgres_rows_s": 20_000.0,  # rows one PostgreSQL primary inserts a second, see the page
    "postgres_tb": 4.0,  # disk of one primary
}
SYSTEM_MB = 1000.0
"""Memory of a machine that is not ours to use: kernel, agents, page cache of the index."""


def model(speed: Mapping[str, Any]) -> dict[str, float | None]:
    """Compute the model; values that depend on a missing figure are None."""
    part = at(dict(speed), "parts", "throughput")
    best = at(part, "best") or "ours"
    closed = at(part, best, "closed") or {}
    cpu = at(closed, "cpu_ms_by_process") or {}
    memory = at(closed, "memory_mb") or {}
    values: dict[str, float | None] = {
        **GIVEN,
        "cpu_ms": at(closed, "cpu_ms_per_message"),
        "vanilla_cpu_ms": at(part, "vanilla", "closed", "cpu_ms_per_message"),
        "engine_ms": _sum(cpu, "engine"),
        "ingress_ms": _sum(cpu, "ingress"),
        "sender_ms": _sum(cpu, "sender"),
        "recorder_ms": _sum(cpu, "recorder"),
        "redis_ms": _sum(cpu, "valkey"),
        "engine_mb": at(memory, "engine-0", "rss_mb"),
        "rows": at(part, "costs", "sql_rows_per_message"),
        "sql_bytes": at(part, "costs", "sql_bytes_per_message"),
        "redis_bytes": at(part, "costs", "redis_bytes_per_conversation"),
        "seen_bytes": at(part, "costs", "redis_bytes_per_message"),
    }
    for name, formula in _FORMULAS.items():
        try:
            values[name] = formula(values)
        except TypeError:  # a figure it needs is None
            values[name] = None
    return values


_FORMULAS: Mapping[str, Any] = {
    "messages_a_day": lambda f: f["rate"] * 86_400,
    "cores": lambda f: f["rate"] * f["cpu_ms"] / 1000 / f["busy"],
    "vanilla_cores": lambda f: f["rate"] * f["vanilla_cpu_ms"] / 1000 / f["busy"],
    "engines": lambda f: math.ceil(f["rate"] * f["engine_ms"] / 1000 / f["busy"]),
    "engines_each": lambda f: math.ceil(f["engines"] / f["machines"]),
    "engines_gb": lambda f: f["engines"] * f["engine_mb"] / 1000,
    "redis_cores": lambda f: f["rate"] * f["redis_ms"] / 1000 / f["busy"],
    "redis_shards": lambda f: max(3, math.ceil(f["redis_cores"])),
    "redis_gb": lambda f: (
        (
            f["redis_bytes"] * f["conversations"] * f["kept_days"]
            + f["seen_bytes"] * f["messages_a_day"] * f["seen_days"]
        )
        * f["replicas"]
        / 1e9
    ),
    "redis_gb_one_day": lambda f: (
        (
            f["redis_bytes"] * f["conversations"]
            + f["seen_bytes"] * f["messages_a_day"] * f["seen_days"]
        )
        * f["replicas"]
        / 1e9
    ),
    "memory_gb": lambda f: f["machines"] * (f["memory_each_gb"] - SYSTEM_MB / 1000),
    "rows_s": lambda f: f["rows"] * f["rate"],
    "sql_gb_day": lambda f: f["sql_bytes"] * f["messages_a_day"] / 1e9,
    "sql_tb_kept": lambda f: f["sql_gb_day"] * f["retained_days"] / 1000,
    "postgres_for_rows": lambda f: math.ceil(f["rows_s"] / (f["postgres_rows_s"] * f["busy"])),
    "postgres_for_disk": lambda f: math.ceil(f["sql_tb_kept"] / f["postgres_tb"]),
    "days_on_one": lambda f: f["postgres_tb"] * 1000 / f["sql_gb_day"],
    "use_cores": lambda f: 100 * f["cores"] / (f["machines"] * f["cores_each"]),
    "use_memory": lambda f: 100 * (f["engines_gb"] + f["redis_gb"]) / f["memory_gb"],
    "use_redis": lambda f: 100 * f["redis_cores"],
    "use_rows": lambda f: 100 * f["rows_s"] / (f["postgres_rows_s"] * f["busy"]),
    "use_disk": lambda f: 100 * f["sql_tb_kept"] / f["postgres_tb"],
}

RESOURCES = {
    "use_cores": "processor cores of the machines",
    "use_memory": "memory of the machines (engines and Redis)",
    "use_redis": "the one core of a single Redis",
    "use_rows": "rows a second of a single PostgreSQL",
    "use_disk": "disk of a single PostgreSQL, a year of messages",
}


def ends_first(figures: Mapping[str, float | None]) -> str:
    """Return a sentence on which resource is exhausted first."""
    available = {name: value for name in RESOURCES if (value := figures.get(name)) is not None}
    if len(available) < len(RESOURCES):
        return NONE
    ordered = sorted(available, key=lambda name: -available[name])
    return "; ".join(f"{RESOURCES[name]} ({available[name]:,.0f} %)" for name in ordered)


def render(speed: Mapping[str, Any], template: str) -> str:
    """Fill `{name}` or `{name:digits}` in the template.

    Raises:
        KeyError: The template names a figure the model does not have.
    """
    figures = model(speed)
    words = {
        "date": at(dict(speed), "parts", "throughput", "date") or NONE,
        "commit": at(dict(speed), "parts", "throughput", "commit") or NONE,
        "ends_first": ends_first(figures),
    }

    def fill(match: re.Match[str]) -> str:
        name, digits = match[1], int(match[2] or 0)
        if name in words:
            return str(words[name])
        value = figures[name]
        return NONE if value is None else f"{value:,.{digits}f}"

    return re.sub(r"\{(\w+)(?::(\d))?\}", fill, template)


def write(folder: Path = results.DOCS) -> None:
    """Write the page beside `speed.json`."""
    text = render(results.load(folder), TEMPLATE.read_text("utf-8"))
    (folder / "scale.md").write_text(text, "utf-8")


def _sum(cpu: Mapping[str, float], role: str) -> float | None:
    """Sum the figures of a role's processes: two engines are two rows."""
    values = [value for name, value in cpu.items() if name.partition("-")[0] == role]
    return round(sum(values), 3) if values else None


if __name__ == "__main__":
    write()
