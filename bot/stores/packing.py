"""JSON for streams, keys and columns, at a tenth of the cost of the standard library's.

Dataclasses become objects, enumerations their values.
"""

from __future__ import annotations

import json
from dataclasses import asdict, is_dataclass
from typing import Any

import orjson


def pack(value: Any) -> str:
    """Write compact JSON; letters stay as they are, not escaped."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        # Half a character (a lone surrogate) or a number of more than 64 bits.
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_plain)


def unpack(text: str | bytes) -> Any:
    """Parse JSON.

    Raises:
        ValueError: The text is no JSON.
    """
    return orjson.loads(text)


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    raise TypeError(f"{type(value).__name__} is not for JSON")
