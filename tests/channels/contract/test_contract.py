"""Every channel of the registry keeps to the contract, with the payloads recorded for it."""

from __future__ import annotations

import pytest
import recorded as recordings
from channel_contract import ChannelContract, named_at_the_desk
from recorded import RECORDED, Recorded

from channels import registry
from channels.base import Channel


@pytest.fixture(params=registry.CHANNELS, ids=lambda channel: channel.name)
def channel(request: pytest.FixtureRequest) -> Channel:
    made: Channel = request.param
    return made


@pytest.fixture
def recorded(channel: Channel, monkeypatch: pytest.MonkeyPatch) -> Recorded:
    # Nobody reads the replies here, so a request that waits for them would wait for long.
    monkeypatch.setattr("channels.rest.routes.ANSWER_TIMEOUT_S", 0.05)
    monkeypatch.setattr("channels.webchat.server.hub.STOP_AGAIN_S", 0.02)
    return recordings.recorded(channel.name)


class TestEveryChannel(ChannelContract):
    """The contract, for each row of the registry."""


def test_payloads_are_recorded_for_every_channel() -> None:
    assert sorted(RECORDED) == sorted(channel.name for channel in registry.CHANNELS)


@pytest.mark.parametrize("channel", registry.CHANNELS, ids=lambda channel: channel.name)
def test_the_desk_has_a_word_for_it_in_every_language(channel: Channel) -> None:
    assert named_at_the_desk(channel) == []
