"""The quality page's own logic, without models: drawing rows, typos, what stands in the tables."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import diet, quality, quality_language
from benchmarks.quality_intents import few, mistyped
from benchmarks.quality_language import OURS, Outcome, Row

DETECT = Path(quality_language.__file__).parent / "peers" / "detect.py"


def test_as_many_examples_of_each_intent_are_drawn() -> None:
    rows = [(f"{intent} {n}", intent) for intent in "abc" for n in range(9)] + [("d 0", "d")]
    drawn = few(rows, 4, seed=1)
    assert [sum(intent == one for _, intent in drawn) for one in "abcd"] == [4, 4, 4, 1]
    assert drawn == few(rows, 4, seed=1)
    assert drawn != few(rows, 4, seed=2)


def test_typos_change_some_long_words_alone() -> None:
    text = "where is my parcel please tell me about delivery times tomorrow"
    changed = [mistyped(text, random.Random(seed)) for seed in range(30)]
    assert any(one != text for one in changed)
    assert all(len(one.split()) == len(text.split()) for one in changed)
    assert all(one.split()[1:3] == ["is", "my"] for one in changed)


def test_a_detector_that_is_missing_leaves_a_gap() -> None:
    rows = [Row("chat", "de", "hallo")]
    missing = quality_language._peer("lingua", Path("/nowhere/python"), rows)
    detectors = {OURS: Outcome({"chat": 0.9}, 0.2, 5.0), "lingua": missing}
    page = quality.page([("set", "1 %", "2 %")], detectors, {"chat": 0.01}, ["## Beside DIET"], 3)
    assert "| set | 1 % | 2 % |" in page
    assert "| chat | 90.0 | – | 1.0 % |" in page
    assert "0.200 / 5.00 | not installed |" in page


def test_peers_answer_in_the_order_of_the_texts() -> None:
    texts = json.dumps(
        ["ich warte schon seit zwei Wochen auf mein Paket", "", "¿dónde está mi pedido?"]
    )
    done = subprocess.run(
        [sys.executable, str(DETECT), "langdetect"],
        input=texts,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    found = json.loads(done.stdout)
    assert found["labels"] == ["de", "", "es"]
    assert len(found["ms"]) == 3


@pytest.fixture
def task() -> diet.Task:
    return diet.Task("t", [], [("a", "x"), ("b", "y"), ("c", "oos"), ("d", "oos")], "oos")


def test_diet_refuses_below_the_threshold_of_rasas_fallback(task: diet.Task) -> None:
    found = diet.score(task, [("x", 0.9), ("y", 0.2), ("x", 0.1), ("x", 0.5)])
    assert found["accuracy"] == 0.5
    assert found["out_of_scope_recall"] == 0.5


def test_the_table_beside_diet_says_what_did_not_run() -> None:
    own = {
        "t": {
            "train_rows": 5,
            "test_rows": 4,
            "accuracy": 0.9,
            "mcc": 0.8,
            "out_of_scope_recall": 0.7,
        }
    }
    trained = {"date": "d", "commit": "c", "epochs": 1, "tasks": {"t": {"problem": "too slow"}}}
    lines = diet.section(trained, own)
    assert "| t | 5, 4 | 90.0 %, 0.800, 70.0 % | too slow | – |" in lines
    assert "Not measured yet: `make diet` does it." in diet.section(None, own)
