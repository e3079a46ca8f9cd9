"""`parse TEXT`: the bot's reading of a text, and what a customer would get for it."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from bot import settings as settings_module


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser("parse", help="what the bot makes of a text")
    parser.add_argument("text", nargs="*", help="the text; - or nothing reads lines from stdin")
    parser.add_argument("--json", action="store_true", help="one JSON object a text")
    parser.add_argument(
        "--lines", action="store_true", help="what customers get for the lines of stdin, as JSON"
    )
    parser.set_defaults(run=_parse)


def _parse(options: argparse.Namespace) -> int:
    from bot.content import publishing
    from bot.dialogue.first_message import FirstMessages
    from bot.understanding.service import Understander

    config = settings_module.load()
    understander = Understander.load(config)
    knowledge = understander.learn(publishing.in_use(config))
    messages = FirstMessages(understander, knowledge, config)
    words = "" if options.lines else " ".join(options.text)
    lines = [words] if words and words != "-" else (line.rstrip("\n") for line in sys.stdin)
    for text in lines:
        message = messages.choose(text)
        if options.lines:
            print(json.dumps({"text": text, **message.to_dict()}, ensure_ascii=False), flush=True)
            continue
        reading = message.reading.to_dict()
        # What an answer needs, not the classifier alone.
        reading["threshold"] = max(reading["threshold"], config.thresholds.confidence)
        result = {**reading, "text": text, "content_version": knowledge.content.number}
        result["customer_gets"] = message.to_dict()
        if options.json:
            print(json.dumps(_named(result), ensure_ascii=False), flush=True)
        else:
            _show(result)
    return 0


def _named(result: dict[str, Any]) -> dict[str, Any]:
    """Put `language` as a plain code, with the details of its reading beside it."""
    detail = result["language"]
    return {**result, "language": detail["language"], "language_detail": detail}


def _show(result: dict[str, Any]) -> None:
    language, mood = result["language"], result["sentiment"]
    romanised = ", in Latin letters" if language["romanised"] else ""
    print(f"language    {language['language']} ({language['confidence']:.2f}{romanised})")
    needs = f"{result['confidence']:.2f}, needs {result['threshold']:.2f}"
    print(f"intent      {result['intent']} ({needs})")
    for item in result["ranking"][:5]:
        print(f"            {item['confidence']:.3f}  {item['intent']}")
    print(f"sentiment   {mood['label']} (negative {mood['negative']:.2f})")
    for entity in result["entities"]:
        print(f"entity      {entity['entity']}: {entity['value']}")
    print(f"customer    {_in_words(result['customer_gets'])}")


def _in_words(gets: dict[str, Any]) -> str:
    """Say in a line what a customer would get for the text, as a first message."""
    if gets["kind"] == "handoff":
        return f"a person ({gets['cause']})"
    if gets["kind"] == "clarify":
        offered = ", ".join(gets["offered"])
        return f"asked back, with {offered}" if offered else "asked back"
    if gets["entry"]:
        return "the answer of " + " and ".join(e for e in (gets["entry"], gets["also"]) if e)
    return f"the reply to {gets['intent']}"
