"""Of the fitted indexes on disk, those opened last are kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from test_index import WordEmbedder

from bot.content.load import load_folder
from bot.content.models import Content
from bot.settings import Settings
from bot.understanding import service
from bot.understanding.mood.sentiment import SentimentModel
from bot.understanding.service import Understander

ROOT = Path(__file__).parents[2]


def test_an_index_that_is_opened_again_outlives_one_that_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data/nlu").mkdir(parents=True)
    greet = 'version: "3.1"\nnlu:\n  - intent: greet\n    examples: |\n      - hello\n'
    (tmp_path / "data/nlu/en.yml").write_text(greet, "utf-8")
    settings = Settings(
        state_dir=tmp_path, cache_dir=tmp_path / "cache", data_dir=tmp_path / "data"
    )
    mood = SentimentModel.load(next((ROOT / "bot/understanding/mood/fitted").glob("*.npz")))
    understander = Understander(WordEmbedder(), mood, settings)
    monkeypatch.setattr(service, "KEPT_INDEXES", 2)
    pack = load_folder(ROOT / "data/faq", Settings().languages)
    first, second, third = (
        Content(
            tuple(replace(entry, examples={"en": (f"{entry.id} {n}",)}) for entry in pack.entries)
        )
        for n in range(3)
    )

    def folders() -> set[str]:
        return {path.name for path in (tmp_path / "cache/index").iterdir()}

    understander.learn(first)
    of_first = folders()
    understander.learn(second)
    understander.learn(first)
    understander.learn(third)
    assert of_first < folders()
    assert len(folders()) == 2
