"""`chat`: talk to the bot in a terminal, with its reading of each message."""

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

_DIM, _BOLD, _OFF = "\033[2m", "\033[1m", "\033[0m"


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser("chat", help="talk to the bot; shows what it makes of each turn")
    parser.add_argument("--sender", default="", help="go on with an earlier conversation")
    parser.set_defaults(run=_chat)


def _chat(options: argparse.Namespace) -> int:
    """Talk through the running system's REST channel, so that the whole system takes part."""
    from bot.content import publishing
    from bot.understanding.service import Understander

    config = settings_module.load()
    # The channel knows this machine by its own names only; all interfaces include loopback.
    host = "127.0.0.1" if config.host in {"0.0.0.0", "::"} else config.host  # noqa: S104
    url = f"http://{host}:{config.ingress_port}/webhooks/rest/webhook"
    sender = options.sender or f"terminal-{uuid.uuid4().hex[:8]}"
    understander = Understander.load(config)
    knowledge = understander.learn(publishing.in_use(config))
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
            parsed = reading.to_dict()
            print(
                f"{dim}      {parsed['language']['language']}"
                f"{'-Latn' if parsed['language']['romanised'] else ''} · {parsed['intent']} "
                f"{parsed['confidence']:.2f} · {parsed['sentiment']['label']}{off}"
            )
        replies = _post(url, body)
        offered_buttons = [b for reply in replies for b in reply.get("quick_replies", ())]
        buttons = offered_buttons or buttons
        for reply in replies:
            print(f"{bold}bot ›{off} {reply['text']}")
        for number, button in enumerate(offered_buttons, 1):
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
        if error.code == 404:
            raise SamvadError(
                f"{url} is not served: with PUBLIC_URL the channel is on with REST_CHANNEL=on only"
            ) from error
        raise SamvadError(f"{url} said {error.code}: {error.read().decode()[:200]}") from error
    except OSError as error:
        raise SamvadError(f"nothing answers at {url}; start it with `make run`") from error
