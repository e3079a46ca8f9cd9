"""Setting pages up."""

from __future__ import annotations

import pytest
from facebook_settings import with_facebook
from vendors.graph_server import PAGE, GraphServer

from bot.errors import ConfigurationError, SamvadError
from bot.settings import Settings
from channels.facebook import setup


async def test_everything_is_set_in_all_languages_and_shown_before_and_after(
    facebook_settings: Settings, graph: GraphServer
) -> None:
    lines = await setup.run(facebook_settings)
    assert "message_echoes" in graph.subscribed[PAGE]
    profile = graph.profile[PAGE]
    assert profile["get_started"] == {"payload": "samvad:start"}
    hindi = next(m for m in profile["persistent_menu"] if m["locale"] == "hi_IN")
    assert hindi["call_to_actions"][0] == {
        "type": "postback",
        "title": "इंसान से बात करें",
        "payload": "samvad:menu:person",
    }
    locales = {g["locale"] for g in profile["greeting"]}
    assert {"default", "en_US", "hi_IN", "mr_IN", "ml_IN", "th_TH", "es_LA", "ar_AR"} <= locales
    assert "  has  subscription: none" in lines
    assert "  now  get started: samvad:start" in lines
    assert not any("token" in line for line in lines)


async def test_show_changes_nothing(facebook_settings: Settings, graph: GraphServer) -> None:
    await setup.run(facebook_settings, show_only=True)
    assert (graph.subscribed, graph.profile) == ({}, {})


async def test_every_default_language_has_a_locale(settings: Settings) -> None:
    assert set(settings.languages) <= set(setup.LOCALES)


async def test_missing_secrets_and_wrong_tokens_are_told(
    settings: Settings, facebook_settings: Settings
) -> None:
    with pytest.raises(ConfigurationError, match="FACEBOOK_APP_SECRET"):
        await setup.run(settings)
    wrong = with_facebook(facebook_settings, page_tokens={PAGE: "wrong-token"})
    with pytest.raises(SamvadError, match="page 1001") as refused:
        await setup.run(wrong)
    assert "wrong-token" not in str(refused.value)
