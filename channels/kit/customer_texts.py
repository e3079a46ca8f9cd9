"""Texts sent on the customer's behalf when they choose from a menu.

Words the bot is tested to understand, in `texts/<language>.json`: `person_message` asks for a
person, `speak` for the language itself. Vendors' menus (channels.kit.menu) and the widget use them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).with_name("texts")


@cache
def customer_texts() -> Mapping[str, Mapping[str, str]]:
    """Texts by language and key."""
    return read_folder(FOLDER)


def read_folder(folder: Path) -> dict[str, dict[str, str]]:
    """Read a folder of texts: `<language>.json`, each an object of keys and texts."""
    return {path.stem: json.loads(path.read_text("utf-8")) for path in folder.glob("*.json")}
