"""Keys: one place, a table that is complete, shards that never move."""

from __future__ import annotations

import inspect
import re
from collections import Counter
from pathlib import Path

import pytest

from bot.stores import redis_keys

ROOT = Path(redis_keys.__file__).parents[2]
FUNCTIONS = {
    name: function
    for name, function in inspect.getmembers(redis_keys, inspect.isfunction)
    if function.__module__ == redis_keys.__name__
}
EXAMPLE = {"shard": 3, "slot": 7}


def _made(name: str) -> str:
    names = inspect.signature(FUNCTIONS[name]).parameters
    return str(FUNCTIONS[name](*(EXAMPLE.get(n, f"<{n}>") for n in names)))


def _table() -> list[str]:
    """Patterns of the table at the top, and of the line about pub/sub, as regular expressions."""
    text = redis_keys.__doc__ or ""
    rows = re.findall(r"^\| (samvad:\S+)\s*\|", text, re.MULTILINE)
    channels = re.findall(r"`(samvad:[^`]+)`", text)
    return [re.sub(r"<[^>]+>", "[^:]+", r.replace("{s}", "{s3}")) for r in [*rows, *channels]]


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_every_key_function_has_its_row_in_the_table(name: str) -> None:
    key = _made(name)
    assert any(
        re.fullmatch(re.escape(row).replace(r"\[\^:\]\+", "[^:]+"), key) for row in _table()
    ), f"{key} is not in the table at the top of bot/stores/redis_keys.py"


def test_every_constant_key_has_its_row_in_the_table() -> None:
    keys = {
        v for k, v in vars(redis_keys).items() if isinstance(v, str) and v.startswith("samvad:")
    }
    assert keys
    assert keys <= set(_table())


def test_every_row_of_the_table_has_a_function_or_a_constant() -> None:
    made = [_made(name) for name in FUNCTIONS]
    made += [v for v in vars(redis_keys).values() if isinstance(v, str)]
    for row in _table():
        pattern = re.escape(row).replace(r"\[\^:\]\+", "[^:]+")
        assert any(re.fullmatch(pattern, key) for key in made), row


def test_a_conversation_stays_on_its_shard_for_ever() -> None:
    """Figures written down once: another hash would leave messages on shards nobody asks."""
    known = {"webchat-aaaa": 370, "webchat-bbbb": 796, "telegram-cccc": 668}
    assert {c: redis_keys.shard_of(c, 1000) for c in known} == known


def test_conversations_spread_over_the_shards() -> None:
    counts = Counter(redis_keys.shard_of(f"webchat-{n:024x}", 8) for n in range(4000))
    assert len(counts) == 8
    assert min(counts.values()) > 430


@pytest.mark.parametrize(
    "name", [n for n in FUNCTIONS if "shard" in inspect.signature(FUNCTIONS[n]).parameters]
)
def test_keys_of_a_shard_share_its_hash_tag(name: str) -> None:
    assert "{s3}" in _made(name)


def test_who_is_limited_does_not_show_in_the_key() -> None:
    assert "203.0.113.9" not in redis_keys.limit("messages", "203.0.113.9", 1)


def test_no_key_is_written_anywhere_else() -> None:
    areas = {row.split(":")[1].split("<")[0] for row in _table()} - {"{s3}"}
    key = re.compile(rf"""["']samvad:(\{{|{"|".join(sorted(areas))})""")
    for path in [*ROOT.glob("bot/**/*.py"), *ROOT.glob("channels/**/*.py")]:
        if path.name != "redis_keys.py":
            assert not key.search(path.read_text("utf-8")), path


def test_every_marker_under_seen_is_described() -> None:
    told = set(re.findall(r"^\| ([a-z]+)[-:]<", redis_keys.__doc__ or "", re.MULTILINE))
    written = set[str]()
    for path in [*ROOT.glob("bot/**/*.py"), *ROOT.glob("channels/**/*.py")]:
        found = re.findall(r"""\.seen\(\s*[^"']*?f["']([a-z]+)[-:]\{""", path.read_text("utf-8"))
        written |= set(found)
    assert {"sending", "window", "origin"} <= written
    assert written <= told
