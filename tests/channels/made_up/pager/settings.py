"""The pager's name and settings."""

from __future__ import annotations

from dataclasses import dataclass

from bot.settings import setting

NAME = "pager"


@dataclass(frozen=True)
class PagerSettings:
    """What the pager company gave us."""

    url: str = setting("PAGER_URL", "https://pager.example")
    """Where pages are sent to."""
    secret: str = setting("PAGER_SECRET", "", secret=True, needed=True)
    """Comes with every delivery; pagers are off without it."""
