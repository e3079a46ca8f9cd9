"""Receiving of Messenger's deliveries: verify, parse, store; the 200 comes last.

Framework-neutral: the ingress and Rasa's input channel both use it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace

import redis.asyncio
import structlog

from bot.settings import Settings
from bot.stores.database import Database
from channels.facebook.page_inbox import PageInbox
from channels.facebook.payload import METADATA, Event, parse
from channels.facebook.profiles import UNKNOWN, Profiles
from channels.facebook.settings import FacebookSettings
from channels.kit import menu
from channels.kit.app_keys import TakesMessages
from channels.kit.copies import Copies
from channels.kit.meta import signature
from channels.kit.meta.receipts import Receipts
from channels.kit.meta.window import Windows
from channels.kit.reading import BODY_BYTES, read_object
from channels.kit.vendor_http import VendorHttp

LOG = structlog.get_logger(__name__)


class FacebookReceiver:
    """Receiver for all our pages; `aclose` ends its tasks."""

    def __init__(
        self,
        settings: Settings,
        client: redis.asyncio.Redis,
        inbox: TakesMessages,
        database: Database,
        http: VendorHttp,
    ) -> None:
        self._settings = settings
        self._own = settings.of(FacebookSettings)
        self._inbox = inbox
        self._http = http
        self._copies = Copies(settings, client)
        self._windows = Windows(settings.shards, client)
        self._receipts = Receipts(settings.shards, client)
        self._page_inbox = PageInbox(settings, client, database)
        self.profiles = Profiles(settings, client, database, http)
        self._own_apps: set[str] = set()

    def handshake(self, query: Mapping[str, str]) -> str:
        """Answer Meta's verification of the webhook: the challenge, if the token is ours.

        Raises:
            BadRequest: 403.
        """
        return signature.challenge(self._own.verify_token, query)

    async def take(self, signed: str, body: bytes) -> None:
        """Take a delivery: all its events, or none that Messenger would not deliver again.

        Args:
            signed: Header X-Hub-Signature-256, `sha256=<hex>` over the raw body.

        Raises:
            NotAuthenticated: 401, wrong signature; nothing is kept.
            BadRequest: 400, no JSON object; nothing is kept.
            StoreUnavailable: Not all is kept; what is will not be kept twice.
        """
        signature.check(self._own.app_secret, signed, body)
        for event in parse(read_object(body, BODY_BYTES), self._settings, time.time()):
            await self._handle(event)

    async def aclose(self) -> None:
        """End tasks and close the session to the vendor."""
        await self.profiles.aclose()
        await self._http.aclose()

    async def _handle(self, event: Event) -> None:
        if event.inbound is not None:
            await self._keep(event)
        elif event.kind in ("delivered", "read"):
            await self._receipts.note(event.conversation, event.kind, event.at)
        elif event.kind == "reaction":
            await self._windows.note(event.conversation, event.at)
        elif event.kind == "echo":
            await self._hear(event)
        else:
            LOG.info("facebook.ignored", page=event.page, reason=event.reason)

    async def _keep(self, event: Event) -> None:
        assert event.inbound is not None  # noqa: S101 - the caller has looked
        beside = self.profiles.key(event.conversation)
        locale = await self._windows.note(event.conversation, event.at, beside)
        if not locale:
            self.profiles.ask(event)
        inbound = replace(event.inbound, locale=locale.removeprefix(UNKNOWN))
        if event.menu:
            language = await self._copies.language(inbound.conversation, inbound.locale)
            chosen_text = menu.customer_text(self._settings, event.menu, language)
            inbound = replace(inbound, text=chosen_text or inbound.text)
        fresh = await self._inbox.accept(inbound)
        LOG.info(
            "facebook.received",
            conversation=inbound.conversation,
            message=inbound.id,
            duplicate=not fresh,
            kind=inbound.kind,
            tap=bool(inbound.tap),
        )

    async def _hear(self, event: Event) -> None:
        """Tell our own words from those of people in the page's inbox."""
        if event.metadata.startswith(METADATA):
            if event.app:
                self._own_apps.add(event.app)
            return
        if event.app and event.app in self._own_apps:
            return
        await self._page_inbox.note(event)
