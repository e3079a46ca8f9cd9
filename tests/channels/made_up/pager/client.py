"""Sending pages: in order, each part once."""

from __future__ import annotations

import redis.asyncio

from bot.errors import DeliveryFailed
from bot.settings import Settings
from bot.streams.messages import Outbound
from channels.kit.fitting import Part
from channels.kit.progress import Progress, claim
from channels.kit.vendor_http import VendorHttp
from pager.limits import fit
from pager.payload import shape
from pager.settings import PagerSettings


class PagerClient:
    """Sends from our pager number."""

    def __init__(self, settings: Settings, client: redis.asyncio.Redis, http: VendorHttp) -> None:
        self._url = settings.of(PagerSettings).url
        self._http = http
        self._progress = Progress(client, settings.shards, fit)

    async def send(self, outbound: Outbound) -> str:
        """Send a message as pages; return the last one's number.

        Raises:
            DeliveryFailed: The company did not take it.
        """

        async def send_part(part: Part, number: int) -> str:
            await claim()
            return await self._call("pages", shape(part, outbound.vendor_user))

        return (await self._progress.send(outbound, send_part))[-1]

    async def show_typing(self, account: str, vendor_user: str) -> None:
        """Light the pager's lamp."""
        await self._call("lamp", {"to": vendor_user})

    async def aclose(self) -> None:
        """Close the session to the company."""
        await self._http.aclose()

    async def _call(self, path: str, body: dict[str, str]) -> str:
        status, answer = await self._http.call("POST", f"{self._url}/{path}", body=body)
        if status != 200:
            raise DeliveryFailed("refused", permanent=status < 500)
        return str(answer.get("page", ""))
