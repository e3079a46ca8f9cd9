"""List of all channels, and what is built from those that are on."""

from __future__ import annotations

import redis.asyncio

from bot.files.fetch import Vendor
from bot.settings import Settings
from bot.streams.outbox import ChannelClient
from channels.base import Channel
from channels.facebook import CHANNEL as FACEBOOK
from channels.kit.vendor_http import VendorHttp
from channels.rest import CHANNEL as REST
from channels.telegram import CHANNEL as TELEGRAM
from channels.webchat import CHANNEL as WEBCHAT

CHANNELS: tuple[Channel, ...] = (WEBCHAT, TELEGRAM, FACEBOOK, REST)
"""Every channel, in the order people read them."""


def off(settings: Settings) -> dict[str, list[str]]:
    """Channels that are off, by name, with the settings they miss.

    Raises:
        ConfigurationError: A channel's setting does not fit; the message names the key.
    """
    missing = {channel.name: channel.missing(settings) for channel in CHANNELS}
    return {name: names for name, names in missing.items() if names}


def on(settings: Settings) -> tuple[Channel, ...]:
    """Channels that are on; raises like `off`."""
    without = off(settings)
    return tuple(channel for channel in CHANNELS if channel.name not in without)


def make_clients(settings: Settings, client: redis.asyncio.Redis) -> dict[str, ChannelClient]:
    """Make a client for each channel that is on, by the channel's name."""
    http = VendorHttp()  # one session for all vendors; no connection is made before the first call
    return {channel.name: channel.make_client(settings, client, http) for channel in on(settings)}


def make_files(settings: Settings) -> dict[str, Vendor]:
    """Make what finds customers' files, for each channel that is on and keeps them itself."""
    return {channel.name: channel.files(settings) for channel in on(settings) if channel.files}


def typing_intervals() -> dict[str, float]:
    """Seconds between two signs that an agent writes, for each channel whose sender shows them."""
    return {c.name: c.typing_again_s for c in CHANNELS if c.typing_again_s}


def titles() -> dict[str, str]:
    """Return the titles of the channels that customers write by, by name."""
    return {channel.name: channel.title for channel in CHANNELS if channel.public}
