"""Which channels this installation can send on."""

from __future__ import annotations

import redis.asyncio

from bot.settings import Settings
from channels.outbox import Client
from channels.rest import CHANNEL as REST
from channels.rest import RestClient
from channels.webchat.client import WebchatClient


def make_clients(settings: Settings, client: redis.asyncio.Redis) -> dict[str, Client]:
    """Make a client for each channel that is on, by the channel's name."""
    return {"webchat": WebchatClient(client, settings), REST: RestClient(settings, client)}
