"""Settings of the REST channel."""

from __future__ import annotations

from dataclasses import dataclass

from bot.settings import setting

NAME = "rest"
SWITCH = "REST_CHANNEL"


@dataclass(frozen=True)
class RestSettings:
    """Whether the channel is served."""

    enabled: bool = setting(SWITCH, True)
    """Loopback-only REST channel for tests and load; with `PUBLIC_URL` only where this is set."""
