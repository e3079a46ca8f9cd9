"""Input channels for Rasa's own server (`rasa run`).

The same receivers as in the ingress, the same inbox behind them: a message goes the durable way and
`python -m bot engine` answers it, so Rasa's own handler is not called.
"""

from __future__ import annotations

import functools
import ipaddress
import itertools
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import redis.asyncio
import structlog
from rasa.core.channels.channel import InputChannel, UserMessage
from sanic import Blueprint
from sanic.response import HTTPResponse, json

from bot import settings as settings_module
from bot.errors import BadRequest, StoreUnavailable, TooLarge
from bot.settings import Settings
from bot.stores import redis_client
from bot.streams.inbox import Inbox
from channels.kit.reading import BODY_BYTES

LOG = structlog.get_logger(__name__)
_told: list[str] = []
RETRY_S = 2
"""When to come back after a store did not answer."""

Handler = Callable[..., Coroutine[Any, Any, HTTPResponse]]
"""Gets the request, and what its address holds by name."""


@dataclass(frozen=True)
class Parts:
    """Objects a channel's receivers are made of; no connection is open yet."""

    settings: Settings
    redis: redis.asyncio.Redis
    inbox: Inbox


@dataclass(frozen=True)
class Route:
    """Address below `/webhooks/<channel>`."""

    method: str
    path: str
    handler: Handler


def warn_if_open(words: Sequence[str] | None = None) -> None:
    """Warn, once, where Rasa's server listens to everybody.

    That is its default. What strangers send here has no allowance, and Rasa's own routes are open
    to them as well; the ingress is what they may reach.

    Args:
        words: The command line; this process's own by default.
    """
    words = sys.argv[1:] if words is None else words
    if "run" not in words or _told:
        return
    interface = _interface(words)
    try:
        local = interface == "localhost" or ipaddress.ip_address(interface).is_loopback
    except ValueError:
        local = False
    if not local:
        _told.append(interface)
        LOG.warning(
            "rasa.open",
            interface=interface,
            hint="start it with -i 127.0.0.1; strangers may reach the ingress alone",
        )


def _interface(words: Sequence[str]) -> str:
    found = "0.0.0.0"  # noqa: S104 - Rasa's default
    for word, following in itertools.pairwise([*words, ""]):
        name, given, value = word.partition("=")
        if name in {"-i", "--interface"}:
            found = value if given else following
        elif word.startswith("-i") and not word.startswith("--"):
            found = word[2:]
    return found


def rasa_input(
    class_name: str,
    channel: str,
    needs: type[Any],
    routes: Callable[[Parts], Iterable[Route]],
) -> type[InputChannel]:
    """Make the class that credentials.yml names.

    Args:
        class_name: Name of the class.
        channel: Name of the channel; part of the addresses.
        needs: Its settings; while one that is needed is missing, nothing is served.
        routes: Makes what is served.
    """

    class Input(InputChannel):
        """Rasa input channel that serves a channel's webhooks."""

        @classmethod
        def name(cls) -> str:
            return channel

        def blueprint(self, on_new_message: Callable[[UserMessage], Awaitable[Any]]) -> Blueprint:
            settings = settings_module.load()
            warn_if_open()
            made = Blueprint(f"{channel}_webhook")
            if missing := settings_module.missing(settings.of(needs)):
                LOG.warning("channel.off", channel=channel, missing=" ".join(missing))
                return made
            client = redis_client.connect(settings)
            parts = Parts(settings, client, Inbox(client, settings.shards))
            for number, route in enumerate(routes(parts)):
                handler = _answering(route.handler)
                made.add_route(handler, route.path, methods=[route.method], name=f"route{number}")
            return made

    Input.__name__ = Input.__qualname__ = class_name
    return Input


def _answering(handler: Handler) -> Handler:
    """Turn our errors into the JSON that the ingress answers with."""

    @functools.wraps(handler)
    async def answer(request: Any, **found: str) -> HTTPResponse:
        try:
            if len(request.body) > BODY_BYTES:
                raise TooLarge("body-too-large", f"send at most {BODY_BYTES} bytes")
            return await handler(request, **found)
        except BadRequest as error:
            return json({"error": {"code": error.code, "message": str(error)}}, status=error.status)
        except StoreUnavailable:
            body = {"error": {"code": "unavailable", "message": "try again in a moment"}}
            return json(body, status=503, headers={"Retry-After": str(RETRY_S)})

    return answer
