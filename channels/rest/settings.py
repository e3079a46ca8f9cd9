"""The REST channel's name and settings."""

from __future__ import annotations

from dataclasses import dataclass

from bot.settings import setting

NAME = "rest"


@dataclass(frozen=True)
class RestSettings:
    """Whether the channel is served."""

    enabled: bool = setting("REST_CHANNEL", True)
    """Loopback-only REST channel for tests and load."""
