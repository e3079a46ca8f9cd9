"""Held-out questions: paraphrases that must find their entry, strangers that must find none.

The rows of `paraphrases.tsv` and `out_of_scope.tsv` were written without looking at `data/`; they
measure and are never trained on, and no row is changed to pass.
"""

from __future__ import annotations

import csv
import unicodedata
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from bot.content.load import load_folder
from bot.content.models import Content
from bot.conversation.escalation import decide
from bot.settings import Settings, Thresholds
from bot.understanding import parse
from bot.understanding.service import Knowledge, Reading, Understander

HERE = Path(__file__).resolve().parent
REPO = HERE.parent.parent
SETTINGS = Settings(
    state_dir=REPO / ".samvad", cache_dir=REPO / ".samvad" / "cache", data_dir=REPO / "data"
)
STRANGERS_ANSWERED = 1
"""Of sixty: one lies at the limit, above or below it with any change of other texts."""
SHOP_SHARE = 0.85
"""Least share of right top entries in a language the shop answers in (issue 2)."""
OTHER_SHARE = 0.75
"""The same for languages without a single example in the content."""
LEAST_ROWS = 15
LEAST_STRANGERS = 30


def rows(name: str) -> list[dict[str, str]]:
    with (HERE / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


PARAPHRASES = rows("paraphrases.tsv")
STRANGERS = rows("out_of_scope.tsv")
LANGUAGES = sorted({row["lang"] for row in PARAPHRASES})


def is_of_the_shop(language: str) -> bool:
    return language.split("-")[0] in SETTINGS.languages


@pytest.fixture(scope="module")
def understander() -> Understander:
    return Understander.load(SETTINGS)


@pytest.fixture(scope="module")
def knowledge(understander: Understander) -> Knowledge:
    return understander.learn(load_folder(SETTINGS.data_dir / "faq", SETTINGS.languages))


@pytest.fixture(scope="module")
def readings(understander: Understander, knowledge: Knowledge) -> dict[str, Reading]:
    """A reading of every held-out text."""
    texts = [row["text"] for row in [*PARAPHRASES, *STRANGERS]]
    return {text: understander.read(text, knowledge) for text in texts}


@pytest.mark.parametrize("language", LANGUAGES)
def test_paraphrases_find_their_entry(language: str, readings: dict[str, Reading]) -> None:
    ours = [row for row in PARAPHRASES if row["lang"] == language]
    missed = [
        f"{row['text']!r}: {readings[row['text']].entry or readings[row['text']].prediction.best!r}"
        f" instead of {row['entry']}"
        for row in ours
        if readings[row["text"]].entry != row["entry"]
    ]
    share = 1 - len(missed) / len(ours)
    wanted = SHOP_SHARE if is_of_the_shop(language) else OTHER_SHARE
    told = f"{language}: {share:.1%} of {len(ours)} right\n" + "\n".join(missed)
    assert share >= wanted, told


def test_nothing_outside_the_shop_is_answered_as_known(
    readings: dict[str, Reading], knowledge: Knowledge
) -> None:
    answered = []
    for row in STRANGERS:
        reading = readings[row["text"]]
        signals = parse.signals(reading, knowledge.content)
        if decide(signals, Thresholds()).kind == "answer" and reading.intent == "faq":
            answered.append(
                f"{row['lang']} {row['text']!r}: {reading.entry} "
                f"{reading.prediction.confidence:.2f} of {reading.prediction.threshold:.2f}"
            )
    assert len(answered) <= STRANGERS_ANSWERED, "\n".join(answered)


@pytest.mark.parametrize(
    ("text", "entry"),
    [
        ("where is my order 1234567", "order-status"),
        ("where is my order A123456 and how do i change my address", "order-status"),
        ("mera order 12345678 kab aayega", "order-status"),
        ("मेरा ऑर्डर १२३४५६७ कहाँ है", "order-status"),
        ("please cancel order ORD-2024-55871", "cancel-order"),
    ],
)
def test_an_order_number_takes_no_confidence_away(
    understander: Understander, knowledge: Knowledge, text: str, entry: str
) -> None:
    reading = understander.read(text, knowledge)
    assert (reading.intent, reading.entry) == ("faq", entry)
    assert reading.prediction.confidence > 0.9
    assert any(found.kind == "order-number" for found in reading.entities)


def test_the_held_out_rows_are_enough_and_name_entries(knowledge: Knowledge) -> None:
    counts: dict[str, int] = defaultdict(int)
    for row in PARAPHRASES:
        counts[row["lang"]] += 1
        assert row["entry"] in knowledge.content.by_id, row
    for language in SETTINGS.languages:
        assert counts[language] >= LEAST_ROWS
    assert len(STRANGERS) >= LEAST_STRANGERS


def test_no_held_out_row_is_an_example(knowledge: Knowledge) -> None:
    known = {plain(text) for text in training_texts(knowledge.content)}
    leaked = [row["text"] for row in [*PARAPHRASES, *STRANGERS] if plain(row["text"]) in known]
    assert len(known) > 1000, "the training texts were not read"
    assert not leaked


def training_texts(content: Content) -> Iterator[str]:
    """Every text of `data/` that anything is fitted on."""
    for entry in content.entries:
        for examples in entry.examples.values():
            yield from examples
    for path in sorted((SETTINGS.data_dir / "nlu").glob("*.yml")):
        for item in yaml.safe_load(path.read_text("utf-8"))["nlu"]:
            yield from (line.strip().removeprefix("-") for line in item["examples"].splitlines())
    for path in sorted((SETTINGS.data_dir / "sentiment").glob("*.tsv")):
        for line in path.read_text("utf-8").splitlines():
            yield from line.split("\t")


def plain(text: str) -> str:
    kept = unicodedata.normalize("NFKC", text).casefold()
    return "".join(c for c in kept if unicodedata.category(c)[0] in "LMN")
