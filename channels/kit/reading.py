"""Reading of strangers' JSON with checked size and types; anything unexpected counts as absent."""

from __future__ import annotations

import json
import math
from typing import Any

from bot.errors import BadRequest, TooLarge
from channels.kit.cleaning import clean
from channels.kit.splitting import shorten

ID_CHARS = 512
NAME_CHARS = 200
LARGEST_ID = 2**63 - 1
BODY_BYTES = 1024 * 1024
"""Largest delivery taken from a vendor; a hundred of their longest messages fit."""


def read_object(body: bytes | str, most: int) -> dict[str, Any]:
    """Read one JSON object of bounded size, from a stranger.

    Args:
        most: Longest body, in bytes (characters where it is text).

    Raises:
        BadRequest: `not-json` or `wrong-type`.
        TooLarge: `body-too-large`.
    """
    if len(body) > most:
        raise TooLarge("body-too-large", f"send at most {most} bytes")
    try:
        data = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadRequest("not-json", "the body is not JSON in UTF-8") from error
    if not isinstance(data, dict):
        raise BadRequest("wrong-type", "send a JSON object")
    return data


def object_at(data: dict[str, Any], name: str) -> dict[str, Any]:
    """Return an object; an empty one if there is none."""
    value = data.get(name)
    return value if isinstance(value, dict) else {}


def objects_at(data: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """Return the objects of an array; none if there is no array."""
    value = data.get(name)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def text_at(data: dict[str, Any], name: str, most: int) -> str:
    """Return a text as a customer wrote it, cleaned, cut to `most` UTF-16 units."""
    value = data.get(name)
    return shorten(clean(value), most) if isinstance(value, str) else ""


def id_at(data: dict[str, Any], name: str) -> str:
    """Return an id: a text of visible ASCII characters or a whole number; else empty."""
    value = data.get(name)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= LARGEST_ID:
        return str(value)
    if isinstance(value, str) and len(value) <= ID_CHARS and value.isascii():
        return value if value.isprintable() and " " not in value else ""
    return ""


def number_at(data: dict[str, Any], name: str) -> int | None:
    """Return a whole number of at most 64 bits."""
    value = data.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > LARGEST_ID:
        return None
    return value


def coordinate_at(data: dict[str, Any], name: str) -> float | None:
    """Return degrees, −180 to 180."""
    value = data.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) and abs(value) <= 180 else None


def place(data: dict[str, Any], north: str, east: str) -> str:
    """Write a position as text that means the same in every language; empty without one."""
    latitude, longitude = coordinate_at(data, north), coordinate_at(data, east)
    if latitude is None or longitude is None:
        return ""
    return f"📍 {latitude:.5f}, {longitude:.5f}"
