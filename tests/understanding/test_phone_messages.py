"""First messages as typed on a phone, by writers who had seen the answers but no example.

`phone_messages.tsv` is for measuring only: no row goes into `data/`. Limits lie a little below what
was measured, so that a change which costs understanding is noticed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bot import settings as settings_module
from bot.commands.evaluate import read_tsv
from bot.content import publishing
from bot.dialogue.first_message import FirstMessages
from bot.dialogue.outcomes import Labelled, judge
from bot.understanding.service import Understander

FILE = Path(__file__).with_name("phone_messages.tsv")
PACK = ("en", "hi", "mr", "ml", "th", "es", "ar")
ORDINARY = ("short", "normal", "long")
Row = dict[str, Any]


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    config = settings_module.load()
    understander = Understander.load(config)
    content = publishing.load_folder(config.data_dir / "faq", config.languages)
    messages = FirstMessages(understander, understander.learn(content), config)
    columns = ("text", "gold", "lang", "script", "kind", "mood")
    labelled = [Labelled(*cells) for cells in read_tsv(FILE, *columns)]
    judged = judge(labelled, messages)["rows"]
    return [{**row, "mood": of.mood} for row, of in zip(judged, labelled, strict=True)]


def share(rows: list[Row], *outcomes: str) -> float:
    return sum(row["outcome"] in outcomes for row in rows) / len(rows)


def test_messages_in_the_packs_languages_are_answered(rows: list[Row]) -> None:
    ordinary = [row for row in rows if row["label"] in ORDINARY and row["lang"] in PACK]
    assert share(ordinary, "right") >= 0.85
    assert share(ordinary, "wrong") <= 0.045
    assert share(ordinary, "asked") <= 0.03


@pytest.mark.parametrize("language", PACK)
def test_each_language_is_answered_in_its_own_script(rows: list[Row], language: str) -> None:
    own = [row for row in rows if row["label"] in ORDINARY and row["lang"] == language]
    native = [row for row in own if (row["script"] == "Latn") == (language in ("en", "es"))]
    assert share(native, "right") >= 0.8


@pytest.mark.parametrize(("language", "least"), [("hi", 0.75), ("mr", 0.75), ("ml", 0.75)])
def test_latin_letters_are_answered_too(rows: list[Row], language: str, least: float) -> None:
    latin = [
        r for r in rows if r["label"] in ORDINARY and (r["lang"], r["script"]) == (language, "Latn")
    ]
    assert share(latin, "right") >= least


def test_other_languages_are_mostly_answered(rows: list[Row]) -> None:
    others = [row for row in rows if row["label"] in ORDINARY and row["lang"] not in PACK]
    assert share(others, "right", "offered") >= 0.8
    assert share(others, "wrong") <= 0.07


def test_a_person_is_heard(rows: list[Row]) -> None:
    wanted = [row for row in rows if row["label"] == "human"]
    assert share(wanted, "right") >= 0.93
    others = [r for r in rows if r["label"] in ORDINARY]
    assert sum(row["cause"] == "asked" for row in others) / len(others) <= 0.01


def test_anger_is_met_and_plain_reports_stay_calm(rows: list[Row]) -> None:
    angry = [row for row in rows if row["mood"] == "angry"]
    assert share(angry, "right") >= 0.78
    calm = [row for row in rows if row["mood"] == "calm"]
    assert sum(row["cause"] == "negative-sentiment" for row in calm) / len(calm) <= 0.06


def test_strangers_are_refused(rows: list[Row]) -> None:
    assert share([row for row in rows if row["label"] == "oos"], "right") >= 0.93
    assert share([row for row in rows if row["label"] == "near"], "right") >= 0.85


def test_two_matters_are_mostly_both_answered(rows: list[Row]) -> None:
    assert share([row for row in rows if row["label"] == "two"], "right") >= 0.45
