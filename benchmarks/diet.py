"""Comparison with Rasa's DIET classifier on the same rows: `make diet`.

DIET is the classifier Rasa trains by default. It needs the real TensorFlow, so it runs in the
environment of `make bench-env`, with the pipeline Rasa suggests (`benchmarks/vanilla/project.py`).
Results go to docs/quality.json; `make evaluate` puts them into docs/quality.md beside ours.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from benchmarks import quality_intents
from benchmarks.quality_intents import OUTSIDE, Pair
from benchmarks.results import stamp
from benchmarks.systems import REPO
from benchmarks.vanilla.project import CONFIG, EPOCHS
from benchmarks.vanilla.running import PYTHON
from bot import settings
from bot.content.load import load_folder
from bot.understanding.embedding.embedder import Embedder
from bot.understanding.embedding.vector_cache import VectorCache
from bot.understanding.intents.evaluate import evaluate_intents, matthews

RESULTS = REPO / "docs" / "quality.json"
EVAL = Path(os.environ.get("EVAL", REPO.parent / "shared" / "eval"))
LIMIT_S = 2400.0
PARAPHRASES = REPO / "tests" / "understanding" / "paraphrases.tsv"


@dataclass(frozen=True)
class Task:
    """Rows for training and measuring; `outside` as in `evaluate_intents`."""

    name: str
    train: list[Pair]
    test: list[Pair]
    outside: str | None


def main() -> None:
    """Train DIET on each task and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    options = parser.parse_args()
    results: dict[str, Any] = {}
    for task in tasks(settings.load()):
        results[task.name] = _diet(task, options.epochs)
        print(task.name, results[task.name], flush=True)
        text = json.dumps({**stamp(), "epochs": options.epochs, "tasks": results}, indent=1)
        RESULTS.write_text(text + "\n", "utf-8")


def measure_own(
    config: settings.Settings, embedder: Embedder, cache: VectorCache
) -> dict[str, dict[str, Any]]:
    """Measure our classifier on every task; return figures by task name."""
    return {
        task.name: {
            "train_rows": len(task.train),
            "test_rows": len(task.test),
            **evaluate_intents(task.train, task.test, task.outside, embedder=embedder, cache=cache),
        }
        for task in tasks(config)
    }


def tasks(config: settings.Settings) -> list[Task]:
    """List the tasks: own content in English, BANKING77 with few examples, half of CLINC150."""
    train, test = quality_intents.banking(EVAL)
    tasks = [_own(config)]
    tasks += [
        Task(f"BANKING77, {n} examples an intent", quality_intents.few(train, n, 0), test, None)
        for n in (5, 10)
    ]
    train, test = quality_intents.clinc(EVAL)
    tasks.append(
        Task(
            "CLINC150, 20 examples an intent, with out of scope",
            quality_intents.few(train, 20, 0),
            test,
            OUTSIDE,
        )
    )
    return tasks


def _own(config: settings.Settings) -> Task:
    """Return the task of the shop's English examples, measured on questions written apart."""
    content = load_folder(config.data_dir / "faq", config.languages)
    train = [(text, entry.id) for entry in content.entries for text in entry.examples.get("en", ())]
    test = []
    for line in PARAPHRASES.read_text("utf-8").splitlines()[1:]:
        language, expected, text = line.split("\t")
        if language == "en":
            test.append((text, expected.removeprefix("faq/")))
    return Task("our own content in English, held-out questions", train, test, None)


def _diet(task: Task, epochs: int) -> dict[str, Any]:
    """Train and evaluate DIET; return `problem` instead of figures when that fails."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "config.yml").write_text(_pipeline(epochs), "utf-8")
        (folder / "nlu.yml").write_text(_nlu(task.train), "utf-8")
        (folder / "test.json").write_text(json.dumps([text for text, _ in task.test]), "utf-8")
        script = REPO / "benchmarks" / "vanilla" / "intents.py"
        begin = time.monotonic()
        try:
            subprocess.run(
                [str(PYTHON), str(script), str(folder)],
                cwd=folder,
                check=True,
                capture_output=True,
                text=True,
                timeout=LIMIT_S,
                env={**os.environ, "RASA_TELEMETRY_ENABLED": "false", "CUDA_VISIBLE_DEVICES": ""},
            )
        except FileNotFoundError:
            return {"problem": "not installed: run `make bench-env`"}
        except subprocess.TimeoutExpired:
            return {"problem": f"not trained after {LIMIT_S:.0f} s"}
        except subprocess.CalledProcessError as error:
            return {"problem": error.stderr.strip().splitlines()[-1][:200]}
        answers = json.loads((folder / "answers.json").read_text("utf-8"))
        seconds = time.monotonic() - begin
    return {**score(task, answers["intents"]), "seconds": round(seconds)}


def score(task: Task, answers: Sequence[tuple[str, float]]) -> dict[str, float | None]:
    """Compute accuracy, Matthews correlation and recall at the threshold of Rasa's fallback."""
    truth = [intent for _, intent in task.test]
    predicted = [
        intent if task.outside is None or confidence >= 0.3 else task.outside
        for intent, confidence in answers
    ]
    right = [actual == guess for actual, guess in zip(truth, predicted, strict=True)]
    outside = [hit for hit, intent in zip(right, truth, strict=True) if intent == task.outside]
    return {
        "accuracy": sum(right) / len(right),
        "mcc": matthews(truth, predicted),
        "out_of_scope_recall": sum(outside) / len(outside) if outside else None,
    }


def _pipeline(epochs: int) -> str:
    config = yaml.safe_load(CONFIG.replace("EPOCHS", str(epochs)))
    kept = [part for part in config["pipeline"] if part["name"] not in _NOT_NEEDED]
    return yaml.safe_dump({**config, "pipeline": kept, "policies": None}, sort_keys=False)


_NOT_NEEDED = ("ResponseSelector", "EntitySynonymMapper", "FallbackClassifier")


def _nlu(rows: Sequence[Pair]) -> str:
    by_intent: defaultdict[str, list[str]] = defaultdict(list)
    for text, intent in rows:
        by_intent[intent].append(" ".join(text.split()).replace("[", "(").replace("]", ")"))
    blocks = [
        {"intent": intent, "examples": "".join(f"- {text}\n" for text in texts)}
        for intent, texts in sorted(by_intent.items())
    ]
    return yaml.safe_dump({"version": "3.1", "nlu": blocks}, allow_unicode=True, width=10_000)


def load() -> dict[str, Any] | None:
    """Read the last results of `make diet`; None before the first run."""
    results: dict[str, Any] | None = None
    if RESULTS.exists():
        results = json.loads(RESULTS.read_text("utf-8"))
    return results


def section(
    trained: Mapping[str, Any] | None, own_figures: Mapping[str, Mapping[str, Any]]
) -> list[str]:
    """Return the lines of the page about DIET."""
    lines = ["## Beside DIET", ""]
    if trained is None:
        return [*lines, "Not measured yet: `make diet` does it.", ""]
    lines += [
        f"DIET was trained on {trained['date']} at commit `{trained['commit']}` by `make diet`: "
        f"the pipeline Rasa suggests, {trained['epochs']} epochs; ours is of this run, on the "
        "same rows. Figures are accuracy, Matthews correlation and, where there are such rows, "
        "recall of those out of scope: at our automatic threshold, and at .3, that of Rasa's "
        "FallbackClassifier.",
        "",
        "| task | rows to train, to test | ours | DIET | it trains and answers all in |",
        "|---|---|---|---|---|",
    ]
    for name, diet_figures in trained["tasks"].items():
        figures = own_figures[name]
        cells = [
            name,
            f"{figures['train_rows']}, {figures['test_rows']}",
            _figures(figures),
            diet_figures.get("problem") or _figures(diet_figures),
            f"{diet_figures['seconds']} s" if "seconds" in diet_figures else "–",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return [*lines, ""]


def _figures(figures: Mapping[str, float | None]) -> str:
    recall = figures["out_of_scope_recall"]
    text = f"{100 * (figures['accuracy'] or 0.0):.1f} %, {figures['mcc']:.3f}"
    return text if recall is None else f"{text}, {100 * recall:.1f} %"


if __name__ == "__main__":
    main()
