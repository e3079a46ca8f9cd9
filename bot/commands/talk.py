"""`chat` and `parse`: look over the bot's shoulder in a terminal."""

from __future__ import annotations

import argparse
import json
import os
import sys
import urllib.error
import urllib.request
import uuid
from typing import Any

from bot import settings as settings_module
from bot.errors import SamvadError
from bot.settings import Settings

_DIM, _BOLD, _OFF = "\033[2m", "\033[1m", "\033[0m"


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add both commands."""
    parse = commands.add_parser("parse", help="what the bot makes of a text")
    parse.add_argument("text", nargs="*", help="the text; - or nothing reads lines from stdin")
    parse.add_argument("--json", action="store_true", help="one JSON object a text")
    parse.set_defaults(run=_parse)
    chat = commands.add_parser("chat", help="talk to the bot; shows what it makes of each turn")
    chat.add_argument("--sender", default="", help="go on with an earlier conversation")
    chat.set_defaults(run=_chat)


def _parse(options: argparse.Namespace) -> int:
    from bot.understanding.service import Understander

    config = settings_module.load()
    understander = Understander.load(config)
    knowledge = understander.learn(_content(config))
    words = " ".join(options.text)
    lines = [words] if words and words != "-" else (line.rstrip("\n") for line in sys.stdin)
    for text in lines:
        reading = understander.read(text, knowledge).to_dict()
        told = {**reading, "text": text, "content_version": knowledge.content.number}
        if options.json:
            print(json.dumps(_named(told), ensure_ascii=False), flush=True)
        else:
            _show(told)
    return 0


def _named(told: dict[str, Any]) -> dict[str, Any]:
    """`language` as a plain code first; the details of its reading beside."""
    detail = told["language"]
    return {**told, "language": detail["language"], "language_detail": detail}


def _show(told: dict[str, Any]) -> None:
    language, mood = told["language"], told["sentiment"]
    romanised = ", in Latin letters" if language["romanised"] else ""
    print(f"language    {language['language']} ({language['confidence']:.2f}{romanised})")
    print(f"intent      {told['intent']} ({told['confidence']:.2f}, needs {told['threshold']:.2f})")
    for item in told["ranking"][:5]:
        print(f"            {item['confidence']:.3f}  {item['intent']}")
    print(f"sentiment   {mood['label']} (negative {mood['negative']:.2f})")
    for entity in told["entities"]:
        print(f"entity      {entity['entity']}: {entity['value']}")


def _content(config: Settings) -> Any:
    """The live version if the database has one, else the files."""
    from bot.content import publish
    from bot.content.load import load_folder
    from bot.stores.database import Database

    if config.database_url or (config.state_dir / "samvad.sqlite3").exists():
        store = Database.of(config)
        try:
            live = store.call(lambda c: publish.read(c, publish.live_number(c)))
            if live:
                return live
        except SamvadError:
            pass  # an empty database: the files are what there is
        finally:
            store.close()
    return load_folder(config.data_dir / "faq", config.languages)


def _chat(options: argparse.Namespace) -> int:
    """Talk through the running system's REST channel, so that all of it is in play."""
    from bot.understanding.service import Understander

    config = settings_module.load()
    url = f"http://{config.host}:{config.ingress_port}/webhooks/rest/webhook"
    sender = options.sender or f"terminal-{uuid.uuid4().hex[:8]}"
    understander = Understander.load(config)
    knowledge = understander.learn(_content(config))
    colours = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    dim, bold, off = (_DIM, _BOLD, _OFF) if colours else ("", "", "")
    print(
        f"{dim}Write in any language; a number taps a quick reply; Ctrl-D ends. "
        f"(conversation {sender}){off}"
    )
    buttons: list[dict[str, str]] = []
    while True:
        try:
            text = input(f"{bold}you ›{off} ").strip()
        except EOFError:
            print()
            return 0
        if not text:
            continue
        body: dict[str, Any] = {"sender": sender, "message": text}
        if text.isdigit() and 0 < int(text) <= len(buttons):
            body = {"sender": sender, "quick_reply": buttons[int(text) - 1]["payload"]}
        else:
            reading = understander.read(text, knowledge)
            told = reading.to_dict()
            print(
                f"{dim}      {told['language']['language']}"
                f"{'-Latn' if told['language']['romanised'] else ''} · {told['intent']} "
                f"{told['confidence']:.2f} · {told['sentiment']['label']}{off}"
            )
        replies = _post(url, body)
        shown = [b for reply in replies for b in reply.get("quick_replies", ())]
        buttons = shown or buttons
        for reply in replies:
            print(f"{bold}bot ›{off} {reply['text']}")
        for number, button in enumerate(shown, 1):
            print(f"{dim}      {number}. {button['title']}{off}")
        if not replies:
            print(f"{dim}      (a person has this conversation; the bot is silent){off}")


def _post(url: str, body: dict[str, Any]) -> list[dict[str, Any]]:
    request = urllib.request.Request(  # noqa: S310 - our own loopback address
        url, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            replies: list[dict[str, Any]] = json.load(answer)
            return replies
    except urllib.error.HTTPError as error:
        raise SamvadError(f"{url} said {error.code}: {error.read().decode()[:200]}") from error
    except OSError as error:
        raise SamvadError(f"nothing answers at {url}; start it with `make run`") from error
