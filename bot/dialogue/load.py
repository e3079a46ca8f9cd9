"""Loader of the engine: the newest dialogue model with our store, NLG and actions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rasa.utils.endpoints import EndpointConfig

from bot.dialogue.engine import Engine, LocalAction
from bot.dialogue.lock import InboxLock
from bot.dialogue.nlg import ContentNlg
from bot.dialogue.store import WindowStore
from bot.language.translate import Translator

MODELS = Path("models")


def load_engine(
    actions: Mapping[str, LocalAction],
    models: Path = MODELS,
    translator: Translator | None = None,
) -> Engine:
    """Load the newest model with our store, NLG and actions.

    Raises:
        ConfigurationError: There is no model; `make train` creates one.
    """
    engine = Engine(
        generator=ContentNlg(translator=translator),
        tracker_store=WindowStore(None),
        lock_store=InboxLock(),
        action_endpoint=EndpointConfig("http://localhost:5055/webhook"),
    )
    engine.local_actions = actions
    engine.load_model(models)
    return engine
