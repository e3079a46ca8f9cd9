"""The key with which a site's own server says who is logged in."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.__main__ import main
from bot.stores import secrets
from channels.webchat.server.session import identity_key


def test_the_key_of_a_site_is_the_one_the_widget_is_checked_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SAMVAD_STATE_DIR", str(tmp_path))
    monkeypatch.setenv("WEBCHAT_SITES", "shop=https://shop.example;club=https://club.example")
    assert main(["webchat", "key", "shop"]) == 0
    secret = secrets.load_or_create(tmp_path, "webchat")
    assert capsys.readouterr().out == identity_key(secret, "shop") + "\n"
    assert main(["webchat", "key", "club"]) == 0
    assert capsys.readouterr().out == identity_key(secret, "club") + "\n"


def test_a_site_that_is_not_set_has_no_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SAMVAD_STATE_DIR", str(tmp_path))
    assert main(["webchat", "key", "shop"]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert "WEBCHAT_SITES" in told.err
    assert "demo" in told.err
