"""Every pattern in the product is linear in what strangers may write, however they repeat it.

A pattern that reads on to the end of a text from each of its places takes four times as long for
twice as much; one linear in its text takes twice as long. Processor time of this thread is
compared within one run, least of several tries, so other work on the machine changes little.
"""

from __future__ import annotations

import ast
import importlib
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import regex

from bot.understanding.intents import two_questions

SIZES = (1000, 4000)
LEAST_S = 0.004
"""What takes less for the longer text is no matter."""
MOST_GROWTH = 9.0
"""For four times as much text; 4 is linear, 16 is quadratic."""
TRIES = 5
UNITS = (
    *"a1A_ .,;:-/@#+&?!<>()[]{}'\"*=^|\\%$~\n\t",
    "\u200d",
    "\u0301",
    "क",
    "ा",
    "्",
    "ก",
    "ു",
    "م",
    "注文",
    "😀",
    "٣",
    "a1",
    "a ",
    "1 ",
    "12 ",
    "1,",
    "1.",
    "1-",
    "12/",
    "a.",
    "a@",
    "a-",
    "a b? ",
    "www.",
    "http://",
    "[ ",
    "{a",
    "{{a",
    "{a|",
    "://",
    ":)",
    "(1",
    "#1",
    "+1",
    "00",
    "Aa",
    "क्",
    "order",
    "order1",
    "order no ",
    "rs ",
    "1 may ",
    "may 1 ",
)
AROUND = (("", ""), ("", "@"), ("1 may", "ж"))
"""What stands before and behind the repeated unit."""


def _modules() -> Iterator[str]:
    for folder in ("bot", "channels", "actions"):
        for path in sorted(Path(folder).rglob("*.py")):
            if "migrations" not in path.parts and path.name != "__main__.py":
                yield ".".join(path.with_suffix("").parts).removesuffix(".__init__")


def _patterns() -> dict[str, Any]:
    """Name → pattern, of modules and of calls with a text in them."""
    found: dict[str, Any] = {
        f"two_questions._cuts(at_commas={at_commas})": two_questions._cuts(at_commas)
        for at_commas in (False, True)
    }
    for name in _modules():
        module = importlib.import_module(name)
        for attribute, value in vars(module).items():
            values = value if isinstance(value, tuple | list) else (value,)
            for number, item in enumerate(values):
                if isinstance(item, re.Pattern | regex.Pattern) and isinstance(item.pattern, str):
                    found[f"{name}.{attribute}{number or ''}"] = item
        tree = ast.parse(Path(str(module.__file__)).read_text("utf-8"))
        for call in ast.walk(tree):
            if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
                continue
            owner = call.func.value
            if not isinstance(owner, ast.Name) or owner.id not in ("re", "regex") or not call.args:
                continue
            given = call.args[0]
            if isinstance(given, ast.Constant) and isinstance(given.value, str):
                library = regex if owner.id == "regex" else re
                found[f"{name}:{call.lineno}"] = library.compile(given.value)
    return found


PATTERNS = _patterns()


def _units(pattern: Any) -> list[str]:
    """General ones, and words that the pattern itself names."""
    own = re.findall(r"[^\W\d_]{2,}", pattern.pattern)
    return [*UNITS, *dict.fromkeys(own[:12])]


def _took_s(pattern: Any, text: str) -> float:
    began = time.thread_time()
    for _ in pattern.finditer(text):
        pass
    return time.thread_time() - began


def test_patterns_are_found() -> None:
    assert len(PATTERNS) > 60
    assert "bot.language.entities._ORDER_NAMED" in PATTERNS


@pytest.mark.parametrize("name", PATTERNS)
def test_a_pattern_is_linear_in_what_is_repeated(name: str) -> None:
    pattern = PATTERNS[name]
    for unit in _units(pattern):
        for beginning, end in AROUND:
            short, long = (f"{beginning}{unit * (size // len(unit))}{end}" for size in SIZES)
            if _took_s(pattern, long) < LEAST_S:
                continue
            long_s = min(_took_s(pattern, long) for _ in range(TRIES))
            short_s = min(_took_s(pattern, short) for _ in range(TRIES))
            assert long_s < LEAST_S or long_s < MOST_GROWTH * short_s, (unit, beginning, end)


def test_the_test_knows_a_pattern_that_is_not_linear() -> None:
    pattern = re.compile(r"a\w*!")
    short_s, long_s = (min(_took_s(pattern, "a" * size) for _ in range(TRIES)) for size in SIZES)
    assert long_s > MOST_GROWTH * short_s
