"""Roles of processes: the table that the command line and `serve` use."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from bot.dialogue import late
from bot.settings import Settings

Process = Callable[[Settings, str], Coroutine[Any, Any, None]]
"""Runs until cancelled; the second argument is the process's unique name."""


@dataclass(frozen=True)
class Role:
    """Role of a process; `bot/processes/<name>.py` has its `run`."""

    name: str
    meaning: str
    """For the command line's help."""
    has_rasa: bool = False
    """Whether it imports Rasa, whose libraries then wait until they are used."""

    def load(self) -> Process:
        """Import the process's code, and only that."""
        if self.has_rasa:
            late.install()
        run: Process = import_module(f"bot.processes.{self.name}").run
        return run


ROLES: dict[str, Role] = {
    role.name: role
    for role in (
        Role("ingress", "webhooks, widget and demo page"),
        Role("desk", "the agents' desk"),
        Role("housekeeper", "what happens by time: routing, service levels, forgetting"),
        Role("engine", "understanding and dialogue", has_rasa=True),
        Role("sender", "drains the outbox"),
        Role("recorder", "writes messages and events to SQL"),
    )
}
"""In the order of a message's way, which is the order of stopping: who takes new work in stops
first, who stores it last."""
