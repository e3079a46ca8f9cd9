"""Customers' files at Messenger, whose messages have addresses in Meta's content network."""

from __future__ import annotations

from dataclasses import dataclass

from bot.files.addresses import Hosts
from bot.settings import Settings
from channels.facebook.settings import FacebookSettings


@dataclass(frozen=True)
class FacebookFiles:
    """Finder of files of Messenger's customers."""

    hosts: Hosts

    @classmethod
    def of(cls, settings: Settings) -> FacebookFiles:
        own = settings.of(FacebookSettings)
        return cls(Hosts(own.graph_url, own.file_hosts))

    async def address(self, account: str, at: str) -> str:
        return at

    async def aclose(self) -> None:
        """Nothing is open."""
