"""Messenger's settings with some of them changed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bot.settings import Settings
from channels.facebook.settings import FacebookSettings


def with_facebook(settings: Settings, **changed: Any) -> Settings:
    """Copy settings with these of Messenger's."""
    return settings.with_parts(replace(settings.of(FacebookSettings), **changed))
