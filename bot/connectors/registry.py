"""List of all connectors; a new one needs its folder and a row here."""

from __future__ import annotations

from bot.connectors.base import Connector

CONNECTORS: tuple[Connector, ...] = ()
