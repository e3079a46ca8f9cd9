"""Cards under a message: title, text, picture and buttons that open an address.

A reply carries them in `metadata["cards"]`. Its `text` says everything without them: other channels
send the text alone, and so does the history once the stream has forgotten the card.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

MAX_CARDS = 10
MAX_BUTTONS = 3
_SCHEMES = frozenset({"http", "https", "mailto", "tel"})
_PICTURE = re.compile(r"/(?!/)[^\s\\]*")


def cards_of(metadata: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Read the cards of a reply; what no browser should get is left out.

    Returns:
        Cards with `title`, and where given `text`, `image` (a path on our origin or an https
        address), `image_text` (what it shows) and `buttons` (`[{title, url}]`).
    """
    raw = metadata.get("cards")
    cards = [_card(one) for one in raw[:MAX_CARDS]] if isinstance(raw, list | tuple) else []
    return [card for card in cards if card]


def _card(raw: Any) -> dict[str, Any]:
    if not isinstance(raw, Mapping) or not _text(raw, "title"):
        return {}
    card: dict[str, Any] = {"title": _text(raw, "title")}
    if text := _text(raw, "text", 1000):
        card["text"] = text
    image = _text(raw, "image", 2000)
    if _PICTURE.fullmatch(image) or _scheme(image) == "https":
        card |= {"image": image, "image_text": _text(raw, "image_text")}
    buttons = raw.get("buttons")
    found = [
        {"title": _text(one, "title"), "url": _text(one, "url", 2000)}
        for one in (buttons if isinstance(buttons, list | tuple) else ())
        if isinstance(one, Mapping) and _scheme(_text(one, "url", 2000)) in _SCHEMES
    ]
    if found := [one for one in found if one["title"]][:MAX_BUTTONS]:
        card["buttons"] = found
    return card


def _text(raw: Mapping[str, Any], key: str, longest: int = 200) -> str:
    value = raw.get(key)
    return value.strip()[:longest] if isinstance(value, str) else ""


def _scheme(address: str) -> str:
    # Browsers drop these characters inside an address, so that a scheme may hide behind them.
    if re.search(r"[\x00-\x20]", address):
        return ""
    try:
        return urlsplit(address).scheme.lower()
    except ValueError:
        return ""
