"""Definition of a channel: one value in its folder, and a row of channels/registry.py.

Whoever serves, sends, fetches, sets up, reports or documents channels walks the registry and asks
these fields; nobody asks for a channel by its name. docs/extending.md lists what a new one takes.
"""

from __future__ import annotations

import argparse
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis.asyncio
from aiohttp import web

from bot.files.fetch import Vendor
from bot.settings import Settings, missing
from bot.streams.outbox import ChannelClient
from channels.kit.fitting import Fit
from channels.kit.limits import Limits
from channels.kit.vendor_http import VendorHttp


@dataclass(frozen=True)
class Costs:
    """Costs the platform charges for our messages; none by default."""

    per_message: float = 0.0
    currency: str = ""
    most_per_day: int | None = None
    """Messages it takes in a day; None for as many as its pace allows."""
    source: str = ""


@dataclass(frozen=True)
class Command:
    """Command `python -m bot <channel> <name>` for set-up or queries."""

    name: str
    meaning: str
    run: Callable[[Settings, argparse.Namespace], Awaitable[Iterable[str]]]
    """Does it and returns what to tell the operator, a line each."""
    options: Callable[[argparse.ArgumentParser], object] | None = None
    """Adds the command's own arguments."""
    stays: bool = False
    """It runs until it is stopped, beside `serve`, and needs the stores."""


@dataclass(frozen=True)
class Channel:
    """A channel with everything the system needs to know of it."""

    name: str
    """In addresses, conversation ids and settings' names: a to z, for ever the same."""
    title: str
    """What people call it."""
    page: str
    """Its page in docs/."""
    settings: type[Any]
    """Dataclass of its settings; it is off while one that is `needed` is empty."""
    add_routes: Callable[[web.Application], None]
    """Adds its webhooks to the ingress; a channel that must ask its vendor for messages adds a
    task to the application's `cleanup_ctx` instead."""
    make_client: Callable[[Settings, redis.asyncio.Redis, VendorHttp], ChannelClient]
    """Makes what the sender sends with."""
    limits: Limits
    """What the platform allows."""
    fit: Fit
    """Makes a reply fit the limits, and chooses how its buttons are shown."""
    files: Callable[[Settings], Vendor] | None = None
    """Finds customers' files at the vendor; None where they are uploaded to us."""
    commands: tuple[Command, ...] = ()
    typing_again_s: float = 0.0
    """Seconds after which the sender shows again that an agent writes; 0 where it shows nothing."""
    costs: Costs = Costs()
    texts: Path | None = None
    """Folder of its own texts, `<language>.json`; what it takes from domain.yml is not there."""
    public: bool = True
    """Customers write by it; False for tests and load, to whom nothing is promised."""

    def missing(self, settings: Settings) -> list[str]:
        """Environment names of what it needs and has not; it is on when there are none."""
        return missing(settings.of(self.settings))
