"""A recorded day of 2,000 messages: the same replies, events and states as when it was recorded.

It guards the turn against changes nobody meant. Clock, ids, readings and wordings are fixed; Rasa,
Redis and SQL are real. A change that is meant is recorded with the day's steps as they are:

    RECORD_DAY=turns python -m pytest tests/dialogue/test_recorded_day.py

and a new day is made up (with other customers' steps, and with the models' readings of today) by
`RECORD_DAY=steps` in its place. Look at what has changed before you commit it: `DAY_WHOLE=<file>`
writes everything that each turn wrote as JSON lines, which two versions of the code can be
compared by.
"""

from __future__ import annotations

import json
import logging
import lzma
import os
import random
import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import redis.asyncio
import structlog
from day_customers import MESSAGES, SEED, Day, Words, locales
from day_readings import LANGUAGES, outline, placeholders, plain_language, plain_render
from day_stage import Clock, Outcome, PlayedTranslator, Stage

from actions import local
from bot.content.load import load_folder
from bot.content.texts import SystemTexts
from bot.dialogue.engine import Engine
from bot.dialogue.load import load_engine
from bot.settings import Settings, Thresholds
from bot.stores.database import Database
from bot.understanding.service import Understander

pytestmark = pytest.mark.model
FOLDER = Path(__file__).parent / "recorded_day"
RECORD = os.environ.get("RECORD_DAY", "")
WHOLE = os.environ.get("DAY_WHOLE", "")
SETTINGS: dict[str, Any] = {
    "languages": LANGUAGES,
    "business_name": "Mela",
    "shards": 8,
    "attempts": 3,
    "waiting_notice_s": 120,
    "away_after_s": 900,
    "thresholds": Thresholds(
        confidence=0.4,
        margin=0.1,
        failures=2,
        negative_message=0.9,
        negative_mean=0.55,
        negative_messages=3,
    ),
}
"""Of their own, so that another default is no other day."""


def _read(name: str) -> Any:
    with lzma.open(FOLDER / f"{name}.json.xz", "rt", encoding="utf-8") as file:
        return json.load(file)


def _write(name: str, value: Any) -> None:
    with lzma.open(FOLDER / f"{name}.json.xz", "wt", encoding="utf-8", preset=9) as file:
        json.dump(value, file, ensure_ascii=False, separators=(",", ":"))


def _write_whole(turns: list[Outcome]) -> None:
    lines = [json.dumps(turn.whole, ensure_ascii=False, sort_keys=True) for turn in turns]
    Path(WHOLE).write_text("\n".join(lines), "utf-8")


def _new_day(settings: Settings) -> tuple[dict[str, Any], Words, Any]:
    """Take content, wordings and models as they are now."""
    content = load_folder(settings.data_dir / "faq", settings.languages)
    understander = Understander.load(settings)
    rng = random.Random(SEED)
    words = Words(content, settings.data_dir / "nlu", rng)
    recorded = {
        "content": outline(content),
        "customers": locales(rng),
        "placeholders": placeholders(SystemTexts.load(settings.default_language)),
        "readings": {},
        "commands": {},
        "steps": [],
    }
    return recorded, words, (understander, understander.learn(content))


@pytest.fixture
def database(settings: Settings, migrated: Path) -> Iterator[Database]:
    """SQLite only: what the stores do with PostgreSQL is tested where they are."""
    settings.state_dir.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(migrated, settings.state_dir / "samvad.sqlite3")
    made = Database.of(settings)
    yield made
    made.close()


@pytest.fixture
def engines(trained_model: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Engine, Engine]:
    """Two with nothing to remember: one as it comes, one that translates and answers as written."""
    # Rasa logs whole trackers at debug level, which takes most of a turn's time.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    translator: Any = PlayedTranslator()
    plain = load_engine(local.load(), trained_model)
    monkeypatch.setenv("ROMANISED_ANSWERS", "as-written")
    return plain, load_engine(local.load(), trained_model, translator)


@pytest.mark.timeout(600)
async def test_a_recorded_day_goes_as_it_went(
    settings: Settings,
    database: Database,
    redis: redis.asyncio.Redis,
    engines: tuple[Engine, Engine],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = replace(settings, **SETTINGS)
    words = models = None
    if RECORD == "steps":
        recorded, words, models = _new_day(settings)
    else:
        recorded = _read("steps")
    clock = Clock()
    monkeypatch.setattr(time, "time", clock)
    monkeypatch.setattr(SystemTexts, "render", plain_render(recorded["placeholders"]))
    monkeypatch.setattr(SystemTexts, "language_for", plain_language)
    stage = Stage(settings, database, redis, engines, recorded, clock, models)
    await stage.prepare()
    turns = []
    if words is not None:
        async for step, outcome in Day(stage, words, random.Random(SEED)).steps():
            recorded["steps"].append(step)
            turns += [outcome] if outcome else []
    else:
        turns = [outcome for step in recorded["steps"] if (outcome := await stage.play(step))]
    told = [turn.summary() for turn in turns]
    if WHOLE:
        _write_whole(turns)
    result = json.loads(json.dumps({"turns": told, "stored": await stage.stored()}))
    if RECORD:
        if words is not None:
            _write("steps", recorded)
        _write("turns", result)
        pytest.skip("recorded, not compared")
    expected = _read("turns")
    said = [step for step in recorded["steps"] if step["do"] == "say"]
    assert len(said) == len(expected["turns"]) == MESSAGES
    for number, step in enumerate(said):
        assert result["turns"][number] == expected["turns"][number], f"message {number}: {step}"
    assert result["stored"] == expected["stored"]
