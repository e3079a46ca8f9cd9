"""`evaluate intents|language|sentiment|messages`: quality of understanding on your own data."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bot import settings as settings_module
from bot.errors import ConfigurationError


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the group."""
    group = commands.add_parser("evaluate", help="measure the understanding on labelled data")
    kinds = group.add_subparsers(required=True, metavar="WHAT")
    intents = kinds.add_parser("intents", help="fit on one file, measure on another")
    intents.add_argument("--train", type=Path, required=True, help="TSV with text, intent")
    intents.add_argument("--out-of-scope", help="label of rows that belong to no intent")
    intents.add_argument("--picture", type=Path, help="write curve and calibration as SVG")
    intents.set_defaults(run=_intents)
    language = kinds.add_parser("language", help="per language and script, beside langdetect")
    language.set_defaults(run=_language)
    sentiment = kinds.add_parser("sentiment", help="F1, area under the curve of negative")
    sentiment.set_defaults(run=_sentiment)
    messages = kinds.add_parser("messages", help="what customers get, as first messages")
    messages.set_defaults(run=_messages)
    columns = {
        intents: "text, intent",
        language: "lang, text, optional script",
        sentiment: "text, sentiment",
        messages: "text, gold, optional lang, script, kind, mood",
    }
    for parser, meaning in columns.items():
        parser.add_argument("--test", type=Path, required=True, help=f"TSV with {meaning}")
        parser.add_argument("--json", action="store_true", help="one JSON object")


def read_tsv(path: Path, *columns: str, optional: Sequence[str] = ()) -> list[tuple[str, ...]]:
    """Read columns of a tab-separated file with one header row and no quoting.

    Cells of optional columns may be missing at the end of a line.

    Raises:
        ConfigurationError: The file cannot be read or lacks a column.
    """
    try:
        lines = path.read_text("utf-8-sig").split("\n")  # Excel puts a mark in front
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(str(path), f"cannot be read: {error}") from error
    header = lines[0].rstrip("\r").split("\t")
    missing = [column for column in columns if column not in header]
    if missing:
        raise ConfigurationError(
            str(path), f"has no column {missing[0]!r}; its first line names {', '.join(header)}"
        )
    places = [header.index(c) for c in columns]
    places += [header.index(c) if c in header else -1 for c in optional]
    rows = []
    for number, line in enumerate(lines[1:], 2):
        cells = line.rstrip("\r").split("\t")
        if cells == [""]:
            continue
        if len(cells) <= max(places[: len(columns)]):
            raise ConfigurationError(
                str(path), f"line {number} has {len(cells)} columns, not {len(header)}"
            )
        rows.append(tuple(cells[p] if 0 <= p < len(cells) else "" for p in places))
    return rows


def _intents(options: argparse.Namespace) -> int:
    from bot.understanding.embedding.default import load_embedder
    from bot.understanding.intents.evaluate import evaluate_intents

    train = [(text, intent) for text, intent in read_tsv(options.train, "text", "intent")]
    test = [(text, intent) for text, intent in read_tsv(options.test, "text", "intent")]
    report = evaluate_intents(
        train, test, options.out_of_scope, embedder=load_embedder(settings_module.load().made_dir)
    )
    if options.picture:
        from bot.understanding.intents.picture import draw_evaluation

        picture = draw_evaluation(report, options.test.stem)
        options.picture.write_text(picture, "utf-8")
    _print(report, options.json)
    return 0


def _language(options: argparse.Namespace) -> int:
    from bot.language.evaluate import evaluate

    rows = read_tsv(options.test, "lang", "text", optional=("script",))
    _print(evaluate((lang, text, script or None) for lang, text, script in rows), options.json)
    return 0


def _sentiment(options: argparse.Namespace) -> int:
    from bot.understanding.embedding.default import load_embedder
    from bot.understanding.mood.evaluate import evaluate_sentiment
    from bot.understanding.mood.sentiment import load_or_fit

    config = settings_module.load()
    rows = [(text, label) for text, label in read_tsv(options.test, "text", "sentiment")]
    embedder = load_embedder(config.made_dir)
    model = load_or_fit(config.made_dir, config.data_dir, embedder)
    _print(evaluate_sentiment(rows, model, embedder), options.json)
    return 0


def _messages(options: argparse.Namespace) -> int:
    from bot.content import publishing
    from bot.dialogue.first_message import FirstMessages
    from bot.dialogue.outcomes import Labelled, judge
    from bot.understanding.service import Understander

    optional = ("lang", "script", "kind", "mood")
    rows = [Labelled(*cells) for cells in read_tsv(options.test, "text", "gold", optional=optional)]
    config = settings_module.load()
    understander = Understander.load(config)
    knowledge = understander.learn(publishing.in_use(config))
    report = judge(rows, FirstMessages(understander, knowledge, config))
    if not options.json:
        del report["rows"]
        report["all"] = {"all": report["all"]}
    _print(report, options.json)
    return 0


def _print(report: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps(report, ensure_ascii=False))
        return
    for key, value in report.items():
        if isinstance(value, dict):
            print(f"{key}:")
            for name, part in value.items():
                print(f"  {name:<14} {_cell(part)}")
        elif isinstance(value, list):
            print(f"{key}:")
            for part in value:
                print(f"  {_cell(part)}")
        else:
            print(f"{key:<22} {_cell(value)}")


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4f}"
    if isinstance(value, dict):
        return "  ".join(f"{name} {_cell(part)}" for name, part in value.items())
    return str(value)
