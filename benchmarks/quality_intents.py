"""Evaluation of intents on public data: whole sets, few examples, languages, small bots."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

from bot.commands.evaluate import read_tsv
from bot.understanding.embedding.embedder import Embedder
from bot.understanding.embedding.vector_cache import VectorCache
from bot.understanding.intents.evaluate import evaluate_intents

Pair = tuple[str, str]
Line = tuple[str, str, str]
"""Set, our figure, others' figures."""

TARGETS = ("ar", "da", "de", "id", "it", "ja", "kk", "nl", "sr", "tr", "zh")
"""Languages of xSID the cross-lingual figure is the mean of."""
SEEDS = 3
BOTS = 6
OUTSIDE = "oos"
_TYPOS = 0.15  # share of the words of a simulated customer that are mistyped


def lines(data: Path, embedder: Embedder, cache: VectorCache) -> Iterator[Line]:
    """Measure everything; yield the lines of the table."""
    run = partial(evaluate_intents, embedder=embedder, cache=cache)
    yield from _banking(data, run)
    yield from _clinc(data, run)
    yield _cross_lingual(data, run)
    yield _small_bots(data, run)


def few(rows: Sequence[Pair], count: int, seed: int) -> list[Pair]:
    """Draw this many examples of each intent."""
    by_intent: dict[str, list[Pair]] = defaultdict(list)
    for row in rows:
        by_intent[row[1]].append(row)
    chance = random.Random(seed)
    return [
        row
        for _, group in sorted(by_intent.items())
        for row in chance.sample(group, min(count, len(group)))
    ]


def banking(data: Path) -> tuple[list[Pair], list[Pair]]:
    """Return training and test rows of BANKING77."""
    return _pairs(data / "intents/banking77_train.tsv"), _pairs(data / "intents/banking77_test.tsv")


def clinc(data: Path) -> tuple[list[Pair], list[Pair]]:
    """Return CLINC150's in-scope training rows and all test rows; `OUTSIDE` marks the others."""
    splits: dict[str, list[Pair]] = defaultdict(list)
    for split, text, intent in read_tsv(
        data / "intents/clinc150_full.tsv", "split", "text", "intent"
    ):
        splits[split].append((text, intent))
    train = [row for row in splits["train"] if row[1] != OUTSIDE]
    return train, [*splits["test"], *splits["oos_test"]]


def mistyped(text: str, chance: random.Random) -> str:
    """Swap, drop or double a letter in some words, as people do on telephones."""
    words = text.split()
    for at, word in enumerate(words):
        if len(word) < 4 or chance.random() > _TYPOS:
            continue
        place = chance.randrange(1, len(word) - 1)
        a, b, following = word[:place], word[place], word[place + 1 :]
        words[at] = chance.choice(
            [a + following, a + b + b + following, a + following[0] + b + following[1:]]
        )
    return " ".join(words)


def _pairs(file: Path) -> list[Pair]:
    return [(text, intent) for text, intent in read_tsv(file, "text", "intent")]


def _banking(data: Path, run: Any) -> Iterator[Line]:
    train, test = banking(data)
    result = run(train, test)
    yield (
        "BANKING77, full training set, accuracy",
        f"{_percent(result['accuracy'])}, calibration error {result['ece']:.3f}",
        "BERT tuned 93.66 · USE+ConveRT 93.36 · bge-small + linear SVM 93.08",
    )
    for count, theirs in ((10, "USE+ConveRT 85.2, ConveRT 83.3"), (5, "none published")):
        several = [run(few(train, count, seed), test) for seed in range(SEEDS)]
        accuracy, error = (fmean(repeat[key] for repeat in several) for key in ("accuracy", "ece"))
        yield (
            f"BANKING77, {count} examples an intent and its name, mean of {SEEDS} draws",
            f"{_percent(accuracy)}, calibration error {error:.3f}",
            theirs,
        )


def _clinc(data: Path, run: Any) -> Iterator[Line]:
    train, test = clinc(data)
    result = run(train, test, OUTSIDE)
    yield (
        "CLINC150 full, own threshold: in scope / out-of-scope recall",
        f"{_percent(result['in_scope_accuracy'])} / {_percent(result['out_of_scope_recall'])}; "
        f"nothing refused {_percent(result['best_intent_accuracy'])}, "
        f"calibration error {result['ece']:.3f}",
        "BERT 96.2 / 52.3 · MLP on USE 93.4 / 49.1 · Rasa 90.9 / 31.2",
    )
    points = result["curve"]
    near = min(points, key=lambda point: abs(point["out_of_scope_recall"] - 0.70))
    yield (
        "CLINC150 full, the threshold that refuses about 70 % out of scope",
        f"{_percent(near['in_scope_accuracy'])} / {_percent(near['out_of_scope_recall'])}",
        "chosen on the test rows, so for reading the curve only",
    )


def _cross_lingual(data: Path, run: Any) -> Line:
    rows: dict[tuple[str, str], list[Pair]] = defaultdict(list)
    for lang, split, text, intent in read_tsv(
        data / "intents/xsid.tsv", "lang", "split", "text", "intent"
    ):
        rows[lang, split].append((text, intent))
    results = {lang: run(rows["en", "valid"], rows[lang, "test"]) for lang in ("en", *TARGETS)}
    others = fmean(results[lang]["accuracy"] for lang in TARGETS)
    error = fmean(results[lang]["ece"] for lang in TARGETS)
    english = results["en"]["accuracy"]
    return (
        "xSID, trained on 300 English rows: English / mean of eleven languages / ratio",
        f"{_percent(english)} / {_percent(others)} / {others / english:.3f}, "
        f"calibration error {error:.3f}",
        "the same embedding + logistic regression: de .80, ar .73, kk .68; en .92",
    )


def _small_bots(data: Path, run: Any) -> Line:
    """Evaluate bots of 25 intents with 15 to 30 examples from CLINC150; half the rows strange."""
    train, test = clinc(data)
    names = sorted({intent for _, intent in train})
    automatic, best = [], []
    for seed in range(BOTS):
        chance = random.Random(seed)
        bot_intents = set(chance.sample(names, 25))
        sizes = {name: chance.randint(15, 30) for name in bot_intents}
        examples = [
            row
            for name in sorted(bot_intents)
            for row in few([row for row in train if row[1] == name], sizes[name], seed)
        ]
        in_scope = [row for row in test if row[1] in bot_intents]
        strange = [row for row in test if row[1] not in bot_intents]
        strange = chance.sample(strange, len(in_scope))
        messages = [(mistyped(text, chance), intent) for text, intent in in_scope]
        messages += [(mistyped(text, chance), OUTSIDE) for text, _ in strange]
        result = run(examples, messages, OUTSIDE)
        automatic.append(result["mcc"])
        best.append(max(point["mcc"] for point in result["curve"]))
    return (
        f"{BOTS} small bots cut out of CLINC150 (25 intents, 15-30 examples, half of the messages "
        "out of scope, typos): Matthews correlation at the automatic / the best threshold",
        f"{fmean(automatic):.3f} / {fmean(best):.3f}",
        "none published",
    )


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
