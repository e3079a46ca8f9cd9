"""Sending to Messenger: within the window, in order, at the allowed rate, each part once."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import redis.asyncio
import structlog

from bot.errors import DeliveryFailed
from bot.settings import Settings
from bot.streams.messages import Outbound
from channels.facebook.limits import LIMITS, fit
from channels.facebook.pages import pages
from channels.facebook.payload import METADATA, shape
from channels.facebook.personas import Personas
from channels.kit.fitting import Part
from channels.kit.meta.graph import OUTSIDE_WINDOW, Account
from channels.kit.meta.receipts import Receipts
from channels.kit.meta.window import AGENT, TAGGED, Windows, messaging_type
from channels.kit.pacing import Pace, Pacer
from channels.kit.progress import Progress, claim
from channels.kit.uploads import Uploads
from channels.kit.vendor_http import Upload, VendorHttp

LOG = structlog.get_logger(__name__)
PAGE = Pace("facebook-page", 1 / LIMITS.rule("messages of a page").value)
MEDIA = Pace("facebook-media", 1 / LIMITS.rule("media of a page").value)
ACTION_TIMEOUT_S = 2.0


class FacebookClient:
    """Client that sends for any of our pages."""

    def __init__(
        self,
        settings: Settings,
        client: redis.asyncio.Redis,
        http: VendorHttp,
        *,
        pace: Pace = PAGE,
    ) -> None:
        self._http = http
        self._pages = pages(settings, http)
        self._personas = Personas(settings)
        self._progress = Progress(client, settings.shards, fit)
        self._windows = Windows(settings.shards, client)
        self._receipts = Receipts(settings.shards, client)
        self._pacer = Pacer(client)
        self._pace = pace
        self._media_pace = MEDIA
        self._uploads = Uploads(settings, LIMITS.most("file"))

    async def send(self, outbound: Outbound) -> str:
        """Send a message, as several where it is long; return the last one's id.

        Raises:
            DeliveryFailed: `outside-window` before any call if we know better; else see
                `channels.kit.meta.graph.refusal`; `channel-off` for a page no longer in the
                settings.
        """
        page = self._pages.get(outbound.account)
        if page is None:
            raise DeliveryFailed("channel-off", permanent=True)
        last = await self._windows.last(outbound.conversation)
        declared = messaging_type(outbound, last, time.time())
        common: dict[str, Any] = {"recipient": {"id": outbound.vendor_user}}
        person = outbound.agent if outbound.author == AGENT else ""
        if person and (persona := await self._personas.of(page, person)):
            common["persona_id"] = persona
        first = outbound.author == "bot" and outbound.id.endswith(":0")
        if first:
            await self._act(page, outbound, "mark_seen")

        # A try that finds all parts taken knows no better moment than its own beginning.
        handed = time.time()

        async def send_part(part: Part, number: int) -> str:
            nonlocal handed
            metadata = f"{METADATA}{outbound.id}"[: LIMITS.most("metadata")]
            body = {**common, "message": shape(part, metadata)}
            if number:
                await self._act(page, outbound, "typing_on")
            if part.attachment is None:
                taken, handed = await self._send(page, outbound, body, declared)
                return taken
            if part.attachment.kind in ("audio", "video"):
                await self._pacer.wait((self._media_pace, page.id))
            async with self._uploads.open(part.attachment, "filedata") as upload:
                taken, handed = await self._send(page, outbound, body, declared, upload)
            return taken

        ids = await self._progress.send(outbound, send_part)
        await self._receipts.sent(outbound, handed)
        return ids[-1]

    async def show_typing(self, account: str, vendor_user: str) -> None:
        """Show a typing indicator; it lasts 20 s, or until the next message.

        Raises:
            DeliveryFailed: See `send`.
        """
        if page := self._pages.get(account):
            body = {"recipient": {"id": vendor_user}, "sender_action": "typing_on"}
            await page.post(f"{page.id}/messages", body, timeout_s=ACTION_TIMEOUT_S)

    async def aclose(self) -> None:
        """Close the session to the vendor."""
        await self._http.aclose()

    async def _send(
        self,
        page: Account,
        outbound: Outbound,
        body: dict[str, Any],
        declared: dict[str, str],
        upload: Upload | None = None,
    ) -> tuple[str, float]:
        """Send one part; return Messenger's id and the moment right before the call."""
        await self._pacer.wait((self._pace, page.id))
        await claim()
        path = f"{page.id}/messages"
        handed = time.time()
        try:
            answer = await page.post(path, {**body, **declared}, upload=upload)
        except DeliveryFailed as error:
            if error.retry_after_s is not None:
                await self._pacer.hold(self._pace, page.id, error.retry_after_s)
            late = error.reason == OUTSIDE_WINDOW and outbound.author == AGENT
            if not late or declared == TAGGED:
                raise
            # We did not know when the customer wrote: a person may still answer for a week.
            handed = time.time()
            answer = await page.post(path, {**body, **TAGGED}, upload=upload)
        return str(answer.get("message_id", "")), handed

    async def _act(self, page: Account, outbound: Outbound, action: str) -> None:
        """Show a sign of life, in a request of its own; nothing depends on it."""
        body = {"recipient": {"id": outbound.vendor_user}, "sender_action": action}
        try:
            async with asyncio.timeout(ACTION_TIMEOUT_S):
                await page.post(f"{page.id}/messages", body)
        except (DeliveryFailed, TimeoutError):
            LOG.debug("action.failed", action=action)
