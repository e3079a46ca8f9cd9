"""Personas: agents under their own name in Messenger, apart from the page and its bot.

developers.facebook.com/documentation/business-messaging/messenger-platform/send-messages/personas
"""

from __future__ import annotations

from typing import Any

import structlog

from bot.errors import DeliveryFailed
from bot.settings import Settings
from channels.facebook.settings import FacebookSettings
from channels.kit.meta.graph import Account
from channels.kit.reading import id_at, object_at, objects_at

LOG = structlog.get_logger(__name__)
PAGES_READ = 20
"""Pages of the list that are looked through for a persona made before."""


class Personas:
    """Personas by page and name; created once, found again after a restart."""

    def __init__(self, settings: Settings) -> None:
        self._picture = settings.of(FacebookSettings).persona_picture
        self._known: dict[tuple[str, str], str] = {}

    async def of(self, page: Account, name: str) -> str:
        """Id of an agent's persona; empty when there is none to be had: words matter more."""
        if not self._picture:
            return ""
        persona_id = self._known.get((page.id, name))
        if persona_id is None:
            try:
                persona_id = await self._find(page, name) or await self._make(page, name)
            except DeliveryFailed as error:
                LOG.warning("persona.failed", page=page.id, reason=error.reason)
                return ""
            self._known[page.id, name] = persona_id
        return persona_id

    async def _find(self, page: Account, name: str) -> str:
        query: dict[str, str] = {"fields": "id,name", "limit": "100"}
        for _ in range(PAGES_READ):
            answer = await page.get(f"{page.id}/personas", query)
            for persona in objects_at(answer, "data"):
                if persona.get("name") == name:
                    return id_at(persona, "id")
            paging: dict[str, Any] = object_at(answer, "paging")
            after = id_at(object_at(paging, "cursors"), "after")
            if not after or not paging.get("next"):
                break
            query["after"] = after
        return ""

    async def _make(self, page: Account, name: str) -> str:
        body = {"name": name, "profile_picture_url": self._picture}
        return id_at(await page.post(f"{page.id}/personas", body), "id")
