"""Measure the understanding on public data and write docs/quality.md: `make evaluate`.

The data lies outside the project (`EVAL`, default ../shared/eval) and is only measured on. Peers
that are installed are measured on the same rows; for others the published figure stands beside.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bot import settings
from bot.commands.evaluate import read_tsv
from bot.language.evaluate import evaluate as evaluate_language
from bot.understanding.embed import load_embedder
from bot.understanding.evaluate import evaluate_intents
from bot.understanding.evaluate_sentiment import evaluate_sentiment
from bot.understanding.sentiment import load_or_fit
from bot.understanding.vector_cache import VectorCache

EVAL = Path(os.environ.get("EVAL", "../shared/eval"))
PAGE = Path("docs/quality.md")
TARGETS = ("ar", "da", "de", "id", "it", "ja", "kk", "nl", "sr", "tr", "zh")
"""Languages of xSID the cross-lingual figure is the mean of."""

Row = tuple[str, str, str]


def main() -> None:
    """Run every measurement and write the page."""
    config = settings.load()
    embedder = load_embedder(config.made_dir)
    cache = VectorCache(config.made_dir / "vectors-evaluation", embedder)
    rows = [
        *_intents(embedder, cache),
        *_language(),
        *_sentiment(config, embedder),
    ]
    PAGE.write_text(_page(rows), "utf-8")
    print(PAGE.read_text("utf-8"))


def _intents(embedder: Any, cache: VectorCache) -> Iterable[Row]:
    banking = [_pairs(f"intents/banking77_{part}.tsv") for part in ("train", "test")]
    found = evaluate_intents(*banking, None, embedder=embedder, cache=cache)
    yield (
        "BANKING77, full training set, accuracy",
        _percent(found["accuracy"]) + f", calibration error {found['ece']:.3f}",
        "BERT tuned 93.66 · USE+ConveRT 93.36 · bge-small + linear SVM 93.08",
    )
    clinc: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for split, text, intent in read_tsv(
        EVAL / "intents/clinc150_full.tsv", "split", "text", "intent"
    ):
        clinc[split].append((text, intent))
    train = [row for row in clinc["train"] if row[1] != "oos"]
    test = [*clinc["test"], *clinc.get("oos_test", [])]
    found = evaluate_intents(train, test, "oos", embedder=embedder, cache=cache)
    yield (
        "CLINC150 full, own threshold: in scope / out-of-scope recall",
        f"{_percent(found['in_scope_accuracy'])} / {_percent(found['out_of_scope_recall'])}",
        "BERT 96.2 / 52.3 · MLP on USE 93.4 / 49.1 · Rasa 90.9 / 31.2",
    )
    xsid: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    for lang, split, text, intent in read_tsv(
        EVAL / "intents/xsid.tsv", "lang", "split", "text", "intent"
    ):
        xsid[lang, split].append((text, intent))
    accuracy = {
        lang: evaluate_intents(
            xsid["en", "valid"], xsid[lang, "test"], None, embedder=embedder, cache=cache
        )["accuracy"]
        for lang in ("en", *TARGETS)
        if (lang, "test") in xsid
    }
    others = [accuracy[lang] for lang in TARGETS if lang in accuracy]
    yield (
        "xSID, trained on 300 English rows, mean of eleven languages / English",
        f"{_percent(sum(others) / len(others))} / {_percent(accuracy['en'])}",
        "the same embedding + logistic regression: de .80, ar .73, kk .68 / en .92",
    )


def _language() -> Iterable[Row]:
    for name in ("single_words", "word_pairs", "sentences"):
        rows = read_tsv(EVAL / f"language/lingua_{name}.tsv", "lang", "text")
        found = evaluate_language((lang, text, None) for lang, text in rows)
        theirs = found["langdetect"]["accuracy"]
        yield (
            f"lingua {name.replace('_', ' ')}, all 75 languages",
            _percent(found["accuracy"]),
            f"langdetect on the same rows {_percent(theirs)}",
        )


def _sentiment(config: settings.Settings, embedder: Any) -> Iterable[Row]:
    rows = _pairs("sentiment/thai_wisesight_test.tsv", "sentiment")
    model = load_or_fit(config.made_dir, config.data_dir, embedder)
    found = evaluate_sentiment(rows, model, embedder)
    yield (
        "Wisesight (Thai): area under the curve of negative / recall at 5 % false alarms",
        f"{found['negative_auc']:.3f} / {_percent(found['negative_recall_at_5'])}",
        "no row of it in training; best published accuracy on the older split .760",
    )


def _pairs(file: str, label: str = "intent") -> list[tuple[str, str]]:
    return [(text, name) for text, name in read_tsv(EVAL / file, "text", label)]


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _page(rows: list[Row]) -> str:
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True
    ).stdout.strip()
    lines = [
        "# Quality",
        "",
        f"Measured on {time.strftime('%Y-%m-%d', time.gmtime())} at commit `{commit}` by "
        "`make evaluate`, on public data that is in no training file of ours.",
        "How each part works and fails: [understanding](understanding.md), "
        "[language](language.md), [sentiment](sentiment.md).",
        "",
        "| set | ours | peers |",
        "|---|---|---|",
        *(f"| {name} | {ours} | {peers} |" for name, ours, peers in rows),
        "",
        "Peers without a word beside them are published figures, not measured in this run.",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
