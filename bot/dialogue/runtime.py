"""Models and content for Rasa's own commands (`rasa shell`, `rasa test`, `rasa run`).

They are loaded at first use, from the content files; `python -m bot serve` uses published versions.
"""

from __future__ import annotations

import threading
from functools import cache

from bot import settings
from bot.content.load import load_folder
from bot.dialogue import sanic_stream
from bot.understanding.service import Knowledge, Understander

_LOCK = threading.Lock()

sanic_stream.restore()


@cache
def _loaded() -> tuple[Understander, Knowledge]:
    config = settings.load()
    understander = Understander.load(config)
    content = load_folder(config.data_dir / "faq", config.languages)
    return understander, understander.learn(content)


def understander() -> Understander:
    """Return the models, loaded once per process."""
    with _LOCK:
        return _loaded()[0]


def knowledge() -> Knowledge:
    """Return the content of the files, with its index."""
    with _LOCK:
        return _loaded()[1]
