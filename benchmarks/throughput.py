"""Benchmark against unmodified Rasa: same traffic, alternating runs; and one and two engines.

`python -m benchmarks.throughput`, about 20 minutes (`--quick`: 2), and once the training of the
vanilla model (5 minutes on two quiet cores).
"""

from __future__ import annotations

import contextlib
import shutil
import statistics
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from benchmarks import costs, results
from benchmarks.load import closed_loop, open_loop
from benchmarks.results import Options
from benchmarks.systems import REPO, System, run_samvad
from benchmarks.traffic import Traffic, load_examples
from benchmarks.vanilla.project import EPOCHS, INTENTS, LANGUAGE
from benchmarks.vanilla.running import trained_vanilla, vanilla
from bot.content.load import load_folder
from bot.settings import Settings

CUSTOMERS = 16
LAYOUT = INTENTS
_SUMMED = (
    "messages_per_s",
    "p50_ms",
    "p95_ms",
    "p99_ms",
    "cpu_ms_per_message",
    "start_s",
    "generator_cpu_ms_per_message",
    "right_share",
)


def main() -> None:
    """Measure and write."""
    options = results.read_options(__doc__)
    results.write(options, "throughput", measure(options))


def measure(options: Options) -> dict[str, Any]:
    """Alternate the systems and measure.

    Returns:
        `{"ours", "vanilla", "ours_2_engines": {"closed", "open"}, "costs", "ratio",
        "cpu_ratio", …}`; the
        closed loop's figures are medians over the rounds, which are in `runs`.
    """
    rounds, seconds, warm = options.choose((3, 60.0, 15.0), (1, 6.0, 3.0))
    _, train_s = trained_vanilla(*peer(options))
    runs: dict[str, list[dict[str, Any]]] = {"ours": [], "vanilla": [], "ours_2_engines": []}
    for number in range(rounds):
        for name in runs:
            print(f"closed loop, round {number + 1} of {rounds}: {name} …", flush=True)
            with started(options, name) as system:
                result = closed_loop(
                    system,
                    fresh_traffic(f"c{number}"),
                    customers=CUSTOMERS,
                    warm_s=warm,
                    measure_s=seconds,
                    answers=answers(),
                )
                runs[name].append({**result, "start_s": system.start_s})
    measured: dict[str, Any] = {
        name: {"closed": summary(result), "runs": result} for name, result in runs.items()
    }
    for name in options.choose(tuple(runs), ("ours",)):
        rate = measured[name]["closed"]["messages_per_s"] / 2
        print(f"open loop at {rate:.1f} messages/s: {name} …", flush=True)
        with started(options, name) as system:
            measured[name]["open"] = open_loop(
                system,
                fresh_traffic("o"),
                rate=rate,
                warm_s=warm,
                measure_s=seconds,
                answers=answers(),
            )
            if name == "ours":
                measured["costs"] = costs.stored(system)
    return {
        **measured,
        **ratios(measured),
        "vanilla_training_s": options.choose(train_s, None),
        "customers": CUSTOMERS,
    }


def ratios(measured: dict[str, Any]) -> dict[str, Any]:
    """Return the ratios of our figures to Rasa's, with the better of one and two engines."""
    closed = {name: measured[name]["closed"] for name in ("ours", "ours_2_engines", "vanilla")}
    best = max(("ours", "ours_2_engines"), key=lambda name: closed[name]["messages_per_s"])
    vanilla_figures = closed["vanilla"]
    return {
        "best": best,
        "ratio": round(closed[best]["messages_per_s"] / vanilla_figures["messages_per_s"], 2),
        "cpu_ratio": round(
            closed[best]["cpu_ms_per_message"] / vanilla_figures["cpu_ms_per_message"], 4
        ),
    }


def summary(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the median of each figure over the runs; memory and CPU by process from the last."""
    medians: dict[str, Any] = {
        key: round(statistics.median(run[key] for run in runs), 3)
        for key in _SUMMED
        if all(run.get(key) is not None for run in runs)
    }
    medians["messages"] = sum(run["messages"] for run in runs)
    medians["failed"] = sum(run["failed"] for run in runs)
    medians["silent"] = sum(run["silent"] for run in runs)
    last_run = {key: runs[-1][key] for key in ("memory_mb", "cpu_ms_by_process")}
    return {**medians, **last_run, "rounds": len(runs)}


@contextlib.contextmanager
def _ours(folder: Path, engines: int) -> Any:
    shutil.rmtree(folder, ignore_errors=True)
    with run_samvad(folder, engines=engines) as system:
        yield system


def started(options: Options, name: str) -> AbstractContextManager[System]:
    """Start a system by its name, with empty stores."""
    if name == "vanilla":
        return vanilla(*peer(options))
    return _ours(options.work / "ours", 2 if name == "ours_2_engines" else 1)


def peer(options: Options) -> tuple[Path, str, int]:
    """Return folder, layout and epochs of the vanilla project; a quick run hardly trains it."""
    epochs = options.choose(EPOCHS, 2)
    return options.work / f"vanilla-{epochs}", LAYOUT, epochs


def fresh_traffic(name: str) -> Traffic:
    """Return the recorded traffic from its beginning."""
    return Traffic(load_examples(REPO / "data"), name)


def answers() -> dict[str, str]:
    """Return answer text → entry id."""
    content = load_folder(REPO / "data" / "faq", Settings().languages)
    return {entry.answers[LANGUAGE]: entry.id for entry in content.entries}


if __name__ == "__main__":
    main()
