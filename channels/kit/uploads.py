"""Uploads of files to a vendor: read from the store, a few at a time, within the limits."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from bot.errors import DeliveryFailed
from bot.files.store import store_of
from bot.settings import Settings
from bot.streams.attachments import Attachment
from channels.kit.vendor_http import Upload

AT_ONCE = 4
"""Uploads under way in one client: each is in memory."""


class Uploads:
    """Opener of files for sending.

    Args:
        most: Bytes of the largest file the platform takes.
    """

    def __init__(self, settings: Settings, most: int) -> None:
        self._most = most
        self._store = store_of(settings)
        self._turns = asyncio.Semaphore(AT_ONCE)

    @contextlib.asynccontextmanager
    async def open(self, attachment: Attachment, field: str) -> AsyncIterator[Upload]:
        """Read a file for as long as it is sent.

        Raises:
            DeliveryFailed: `too-large` for the platform, or `file-missing`; both for good.
            StoreUnavailable: The disk does not answer.
        """
        if attachment.size > self._most:
            raise DeliveryFailed("too-large", permanent=True)
        async with self._turns:
            file = await self._store.open(attachment.id)
            if file is None:
                raise DeliveryFailed("file-missing", permanent=True)
            with file:
                content = await asyncio.to_thread(file.read)
            yield Upload(field, attachment.name, attachment.type, content)
