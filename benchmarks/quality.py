"""Evaluation of understanding on public data, which writes docs/quality.md: `make evaluate`.

The data is outside the project (`EVAL`, default ../shared/eval) and is used for measuring only.
Installed peers are measured on the same rows; for others the page has the published figure. The
last results of `make diet` are on the page too.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks import diet, quality_intents, quality_language
from benchmarks.quality_intents import Line
from benchmarks.quality_language import OURS, Outcome
from benchmarks.results import stamp
from benchmarks.systems import REPO
from bot import settings
from bot.commands.evaluate import read_tsv
from bot.understanding.embedding.default import load_embedder
from bot.understanding.embedding.embedder import Embedder
from bot.understanding.embedding.vector_cache import VectorCache
from bot.understanding.mood.evaluate import evaluate_sentiment
from bot.understanding.mood.sentiment import load_or_fit

EVAL = Path(os.environ.get("EVAL", REPO.parent / "shared" / "eval"))
PAGE = REPO / "docs" / "quality.md"
BY_HAND = REPO / "benchmarks" / "texts" / "understanding.md"
"""Measurements of single runs, which are appended to the page."""


def main() -> None:
    """Run every measurement and write the page."""
    started = time.monotonic()
    config = settings.load()
    embedder = load_embedder(config.made_dir)
    cache = VectorCache(config.made_dir / "vectors-evaluation", embedder)
    measured: list[Line] = []
    for line in quality_intents.lines(EVAL, embedder, cache):
        print(" | ".join(line), flush=True)
        measured.append(line)
    measured += _sentiment(config, embedder)
    sample = quality_language.rows(EVAL)
    detectors = quality_language.measure(sample)
    langdetect_shares = quality_language.langdetect_shares(sample)
    own_figures = diet.measure_own(config, embedder, cache)
    minutes = (time.monotonic() - started) / 60
    PAGE.write_text(
        page(
            measured, detectors, langdetect_shares, diet.section(diet.load(), own_figures), minutes
        ),
        "utf-8",
    )
    print(f"written to {PAGE} after {minutes:.1f} minutes", flush=True)


def _sentiment(config: settings.Settings, embedder: Embedder) -> Iterator[Line]:
    rows = [
        (text, label)
        for text, label in read_tsv(EVAL / "sentiment/thai_wisesight_test.tsv", "text", "sentiment")
    ]
    model = load_or_fit(config.made_dir, config.data_dir, embedder)
    result = evaluate_sentiment(rows, model, embedder)
    yield (
        "Wisesight (Thai): area under the curve of negative / recall at 5 % false alarms",
        f"{result['negative_auc']:.3f} / {100 * result['negative_recall_at_5']:.1f} %",
        "no row of it in training; best published accuracy on the older split .760",
    )


def page(
    measured: Sequence[Line],
    detectors: Mapping[str, Outcome],
    langdetect_shares: Mapping[str, float],
    beside_diet: Sequence[str],
    minutes: float,
) -> str:
    """Write the figures as Markdown."""
    where = stamp()
    lines = [
        "# Quality",
        "",
        f"Measured on {where['date']} at commit `{where['commit']}` by `make evaluate` in "
        f"{minutes:.0f} minutes, on public data that is in no training file of ours.",
        "How each part works and fails: [understanding](understanding.md), "
        "[language](language.md), [sentiment](sentiment.md).",
        "",
        "## Intents and mood",
        "",
        "| set | ours | others |",
        "|---|---|---|",
        *(f"| {name} | {own} | {published} |" for name, own, published in measured),
        "",
        "Figures of others are published ones, not measured in this run.",
        "",
        *_language(detectors, langdetect_shares),
        *beside_diet,
    ]
    return "\n".join(lines).rstrip("\n") + "\n\n" + BY_HAND.read_text("utf-8")


def _language(
    detectors: Mapping[str, Outcome], langdetect_shares: Mapping[str, float]
) -> list[str]:
    groups = list(detectors[OURS].accuracy or {})
    names = list(detectors)
    rows = []
    for group in groups:
        cells = [_cell(detectors[name], group) for name in names]
        rows.append(f"| {group} | {' | '.join(cells)} | {100 * langdetect_shares[group]:.1f} % |")
    cost = [
        f"{outcome.median_ms:.3f} / {outcome.p99_ms:.2f}" if outcome.accuracy else outcome.problem
        for outcome in detectors.values()
    ]
    return [
        "## Language",
        "",
        f"Share of texts whose language is right, in percent. Up to "
        f"{quality_language.PER_LANGUAGE} texts of each language of each set, the same for every "
        "detector, drawn once for all; romanised text counts as right when its language is. "
        "The core languages are " + ", ".join(sorted(quality_language.CORE)) + ". "
        "The held-out lines were written here, and are in no training file.",
        "",
        f"| set | {' | '.join(names)} | langdetect is asked |",
        "|---" * (len(names) + 2) + "|",
        *rows,
        f"| ms of processor time a text, median / p99 | {' | '.join(cost)} | |",
        "",
    ]


def _cell(outcome: Outcome, group: str) -> str:
    return f"{100 * outcome.accuracy[group]:.1f}" if outcome.accuracy else "–"


if __name__ == "__main__":
    main()
