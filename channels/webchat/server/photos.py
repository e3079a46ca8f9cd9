"""Agents' photos, from a folder, served from our own origin.

The name in a link is a digest of the agent's display name: a link tells nobody who works here, and
nothing but the files of the folder can be asked for.
"""

from __future__ import annotations

import hashlib
import unicodedata
from functools import lru_cache
from pathlib import Path

TYPES = {".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".webp": "image/webp"}
MAX_BYTES = 200_000
"""A larger photo is not served: customers on phones would load it with every chat."""


def key_of(name: str) -> str:
    """Name the photo of an agent by a digest of their display name."""
    plain = unicodedata.normalize("NFC", name).casefold().strip()
    return hashlib.sha256(plain.encode()).hexdigest()[:20]


def photo_of(folder: Path, name: str) -> str:
    """Return the key of an agent's photo; empty when there is none."""
    if not name or folder == Path():
        return ""
    key = key_of(name)
    return key if key in _photos(folder) else ""


def path_of(folder: Path, key: str) -> Path | None:
    """Find the file of a key; None for a key no photo has."""
    return None if folder == Path() else _photos(folder).get(key)


@lru_cache(maxsize=4)
def _photos(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        return {}
    return {
        key_of(path.stem): path
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in TYPES and path.stat().st_size <= MAX_BYTES
    }
