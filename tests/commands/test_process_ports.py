"""`--port` of a process started alone is the port that this process listens on."""

from __future__ import annotations

import os

import pytest

from bot.__main__ import main
from bot.processes import running
from bot.settings import Settings


@pytest.mark.parametrize(
    ("role", "name"),
    [
        ("ingress", "ingress_port"),
        ("desk", "desk_port"),
        ("engine", "health_port"),
        ("sender", "health_port"),
        ("recorder", "health_port"),
        ("housekeeper", "health_port"),
    ],
)
def test_the_port_given_is_the_one_of_the_role(
    role: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[tuple[Settings, str]] = []
    monkeypatch.setattr(running, "run", lambda settings, role, *_: started.append((settings, role)))
    monkeypatch.setattr(os, "environ", dict(os.environ))
    assert main([role, "--port", "4711"]) == 0
    ((settings, begun),) = started
    assert (begun, getattr(settings, name)) == (role, 4711)
