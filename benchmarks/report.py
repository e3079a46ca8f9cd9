"""Writer of `docs/speed.md` from `speed.json`: tables, a chart, and when and where measured."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import chart, report_builds, results
from benchmarks.tables import FAILED, NONE, at, cell, table

METHOD = Path(__file__).parent / "texts" / "method.md"
SYSTEMS = {
    "ours": "Samvad, one engine",
    "ours_2_engines": "Samvad, two engines",
    "vanilla": "Rasa as it comes",
}


def write(folder: Path) -> None:
    """Write the page and its charts beside `speed.json`."""
    speed = results.load(folder)
    (folder / "speed.md").write_text(page(speed), "utf-8")
    (folder / "speed.svg").write_text(drawing(speed), "utf-8")


def page(speed: dict[str, Any]) -> str:
    """Return the whole page; a part that was not run has NONE in every cell."""
    parts = speed.get("parts", {})
    sections = [
        _head(speed),
        _throughput(parts.get("throughput", {})),
        report_builds.beside(parts.get("beside", {})),
        report_builds.imports(parts.get("imports", {})),
        _memory(parts.get("throughput", {})),
        _growth(parts.get("growth", {})),
        _publish(parts.get("publish", {})),
        _desk(parts.get("desk", {})),
        _ingress(parts.get("ingress", {})),
        METHOD.read_text("utf-8").strip(),
    ]
    return "\n\n".join(sections) + "\n"


def drawing(speed: dict[str, Any]) -> str:
    """Draw bars of throughput and CPU, and lines of latency by length of a conversation."""
    throughput, growth = at(speed, "parts", "throughput"), at(speed, "parts", "growth")
    bars = {
        title: [(label, at(throughput, name, "closed", key)) for name, label in SYSTEMS.items()]
        for title, key in (
            ("Messages a second, 16 customers", "messages_per_s"),
            ("CPU milliseconds a message", "cpu_ms_per_message"),
        )
    }
    lines = {
        SYSTEMS[name]: [
            (int(number), figures["p50_ms"])
            for number, figures in sorted(
                (at(growth, "length", name) or {}).items(), key=lambda item: int(item[0])
            )
        ]
        for name in ("ours", "vanilla")
    }
    foot = f"{speed.get('date', NONE)}, commit {speed.get('commit', NONE)}"
    return chart.draw(bars, "Milliseconds of the n-th message (median)", lines, foot)


def _head(speed: dict[str, Any]) -> str:
    machine = speed.get("machine", {})
    parts = speed.get("parts", {})
    stamps = [
        [
            name,
            cell(at(parts, name, "date")),
            cell(at(parts, name, "commit")),
            cell(at(parts, name, "machine", "processor")),
            "quick: sizes and times too small to quote" if at(parts, name, "quick") else "full",
        ]
        if name in parts
        else [name, NONE, NONE, NONE, NONE]
        for name in ("throughput", "growth", "publish", "desk", "ingress", "imports")
    ]
    return f"""# Speed

Written by `make bench`; do not edit.
Last run {cell(speed.get("date"))}, commit {cell(speed.get("commit"))}, \
on {cell(machine.get("cores"))} cores ({cell(machine.get("processor"))}), \
{cell(machine.get("memory_gb"))} GB, load before {cell(machine.get("load_before"), 2)}.

![Charts: throughput, CPU a message, latency by length of the conversation](speed.svg)

{table(["part", "measured", "commit", "processor", "run"], stamps)}"""


def _throughput(part: dict[str, Any]) -> str:
    rows = []
    for label, path, digits in (
        ("messages a second, closed loop, 16 customers", ("closed", "messages_per_s"), 1),
        ("its p50, ms", ("closed", "p50_ms"), 0),
        ("its p95, ms", ("closed", "p95_ms"), 0),
        ("its p99, ms", ("closed", "p99_ms"), 0),
        ("CPU ms a message, all processes", ("closed", "cpu_ms_per_message"), 1),
        (
            "load generator's CPU ms a message, not counted above",
            ("closed", "generator_cpu_ms_per_message"),
            2,
        ),
        ("open loop at half of its own capacity, messages/s", ("open", "rate"), 1),
        ("its p50, ms", ("open", "p50_ms"), 1),
        ("its p95, ms", ("open", "p95_ms"), 1),
        ("its p99, ms", ("open", "p99_ms"), 1),
        ("start to first answer, s", ("closed", "start_s"), 1),
        ("questions answered by their own entry", ("closed", "right_share"), 3),
        ("failed messages", ("closed", "failed"), 0),
        ("messages measured", ("closed", "messages"), 0),
    ):
        rows.append([label, *(cell(at(part, name, *path), digits) for name in SYSTEMS)])
    training = cell(at(part, "vanilla_training_s"), 0)
    rows.append(["training after a change of content, s", "none", "none", training])
    return f"""## Beside Rasa as it comes

{table(["", *SYSTEMS.values()], rows)}

Messages a second, ours over Rasa's: **{cell(at(part, "ratio"), 1, "×")}**; \
CPU a message: **{cell(at(part, "cpu_ratio"), 3, "×")}**."""


def _memory(part: dict[str, Any]) -> str:
    rows = [
        [SYSTEMS[name], process, cell(used["rss_mb"], 0), cell(used["pss_mb"], 0)]
        for name in SYSTEMS
        for process, used in (at(part, name, "closed", "memory_mb") or {}).items()
    ] or [[NONE] * 4]
    return f"""## Memory

Resident (RSS), and with shared pages divided among those who share them (PSS), \
megabytes after the closed loop.

{table(["system", "process", "RSS", "PSS"], rows)}"""


def _growth(part: dict[str, Any]) -> str:
    def numbers(*path: str, usual: Sequence[str]) -> list[str]:
        return sorted(at(part, *path) or usual, key=int)

    length = [
        [number, *(_ms(at(part, "length", name, number)) for name in ("ours", "vanilla"))]
        for number in numbers("length", "ours", usual=("1", "10", "100", "300", "1000", "3000"))
    ]
    stored = [
        [f"{int(n):,}", *_ms_cpu(at(part, "stored", n))]
        for n in numbers("stored", usual=("1", "10000", "100000"))
    ]
    entries = [
        [
            f"{int(n):,}",
            *_ms_cpu(at(part, "entries", n)),
            cell(at(part, "entries", n, "memory_mb", "engine-0", "pss_mb"), 0),
        ]
        for n in numbers("entries", usual=("60", "1000", "10000"))
    ]
    waiting = [
        [
            f"{int(n):,}",
            _ms(at(part, "waiting", n, "answer")),
            _ms(at(part, "waiting", n, "handoff")),
        ]
        for n in numbers("waiting", usual=("0", "1000", "50000"))
    ]
    return f"""## Growth

One customer at a time; milliseconds as p50 / p95.

{table(["n-th message of one conversation", "Samvad", "Rasa as it comes"], length)}

{table(["conversations stored", "a question", "CPU ms"], stored)}

{table(["FAQ entries, 10 examples each", "a question", "CPU ms", "engine PSS, MB"], entries)}

{table(["conversations waiting", "a question", "a handoff"], waiting)}"""


def _publish(part: dict[str, Any]) -> str:
    entries = at(part, "entries") or {}
    rows = [
        [
            f"{int(n):,}",
            cell(at(entries, n, "edit_to_live_s"), 2),
            cell(at(entries, n, "edit_to_live_worst_s"), 2),
            cell(at(entries, n, "command_says_s"), 1),
            _ms(at(entries, n, "answers_meanwhile")),
        ]
        for n in sorted(entries or ("60", "1000", "10000"), key=int)
    ]
    head = [
        "FAQ entries",
        "edit to live, s",
        "worst, s",
        "of it publishing, s",
        "answers meanwhile, ms p50 / p95",
    ]
    return f"""## Publishing

One answer and ten examples change; from typing `python -m bot content publish` \
to the first answer with the new words.

{table(head, rows)}"""


def _desk(part: dict[str, Any]) -> str:
    rows = [
        [label, *(cell(at(part, key, p), 0) for p in ("p50_ms", "p95_ms", "p99_ms", "max_ms"))]
        for label, key in (("each screen", "screens"), ("the last of all screens", "last_screen"))
    ]
    return f"""## Desk

From posting the customer's message to the row on the agent's screen, \
{cell(at(part, "agents"))} agents connected, {cell(at(part, "waiting"))} conversations waiting.

{table(["", "p50, ms", "p95, ms", "p99, ms", "worst, ms"], rows)}"""


def _ingress(part: dict[str, Any]) -> str:
    rows = []
    for name, label in (
        ("one", "one ingress process"),
        ("two", "two ingress processes"),
        ("busy", "one, beside an engine that works the messages off"),
    ):
        figures = at(part, name)
        keys = ("sent_per_s", "p50_ms", "p95_ms", "p99_ms", "max_ms")
        used = at(figures, "cpu_ms_per_delivery")
        if isinstance(used, dict):
            used = sum(ms for process, ms in used.items() if process.startswith("ingress"))
        rows.append(
            [
                label,
                *(cell(at(figures, key), 1) for key in keys),
                cell(used, 2),
                cell(at(figures, "refused")),
            ]
        )
    head = [
        "",
        "deliveries/s",
        "p50, ms",
        "p95, ms",
        "p99, ms",
        "worst, ms",
        "ingress CPU ms",
        "refused",
    ]
    return f"""## Ingress

Signed deliveries of Messenger, {cell(at(part, "rate"), 0)} a second, \
each one new message; from the moment one was due to its 200, the message being on disk by then.

{table(head, rows)}"""


def _ms(figures: Any) -> str:
    if not figures or isinstance(figures, str):
        return figures or NONE
    if "failed" in figures:
        return FAILED
    return f"{figures['p50_ms']:.1f} / {figures['p95_ms']:.1f}"


def _ms_cpu(figures: Any) -> list[str]:
    return [_ms(figures), cell(at(figures, "cpu_ms_per_message"), 1)]
