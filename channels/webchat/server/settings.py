"""The widget's name and settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bot.settings import INF, setting, split_at_semicolons

NAME = "webchat"


def _sites(raw: str) -> Mapping[str, tuple[str, ...]]:
    sites: dict[str, tuple[str, ...]] = {}
    for part in split_at_semicolons(raw):
        key, sign, origins = part.partition("=")
        if not sign or not key.strip() or not origins.split():
            raise ValueError("write site-key=https://origin, several origins with spaces between")
        sites[key.strip()] = tuple(o.rstrip("/") for o in origins.split())
    return sites


@dataclass(frozen=True)
class WebchatSettings:
    """Who may embed the widget, and what it asks its visitors; docs/webchat.md."""

    sites: Mapping[str, tuple[str, ...]] = setting(
        "WEBCHAT_SITES", lambda: {"demo": ("*",)}, read=_sites
    )
    """Site keys and origins that may embed the widget: `key=https://a.example https://b.example;…`.

    `*` allows any origin."""
    secret: str = setting("WEBCHAT_SECRET", "", secret=True)
    """Signs widget sessions, 16 characters or more; made once in the state folder when empty."""
    consent: str = setting("WEBCHAT_CONSENT", "line", words=("off", "line", "click"))
    """Before the first message: `off`, a `line` about privacy, or a `click` that agrees to it."""
    consent_version: str = setting(
        "WEBCHAT_CONSENT_VERSION",
        "1",
        pattern=r"[A-Za-z0-9._-]{1,32}",
        hint="write 1–32 of A–Z a–z 0–9 . _ -",
    )
    """Wording customers agree to, 1–32 of A–Z a–z 0–9 . _ -; another one asks them again."""
    privacy_url: str = setting(
        "WEBCHAT_PRIVACY_URL",
        "",
        pattern=r"(https?://[^\s\"<>]+)?",
        hint="write an address with https://",
    )
    """Address of the privacy policy, linked from the widget; empty links nothing."""
    sessions_per_address: int = setting("WEBCHAT_SESSIONS_PER_ADDRESS", 600, between=(1, INF))
    """New visitors of one address in an hour; more where many share one (mobile carriers)."""
    agent_photos: Path = setting("AGENT_PHOTOS", Path)
    """Folder of agents' photos: `<display name>.jpg`, `.png` or `.webp`; empty shows initials."""
