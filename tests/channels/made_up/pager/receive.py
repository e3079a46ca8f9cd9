"""Taking pages in: verify, read, keep; the answer comes last."""

from __future__ import annotations

import hmac
import time

from bot.errors import NotAuthenticated
from bot.settings import Settings
from channels.kit.app_keys import TakesMessages
from channels.kit.reading import BODY_BYTES, read_object
from pager.payload import parse
from pager.settings import PagerSettings


class PagerReceiver:
    """Receives for our pager number."""

    def __init__(self, settings: Settings, inbox: TakesMessages) -> None:
        self._secret = settings.of(PagerSettings).secret
        self._longest = settings.max_text_chars
        self._inbox = inbox

    def check(self, secret: str) -> None:
        """Refuse somebody else before a body is read.

        Raises:
            NotAuthenticated: The secret is not ours.
        """
        if not hmac.compare_digest(secret.encode("utf-8", "replace"), self._secret.encode()):
            raise NotAuthenticated("wrong-secret", "the secret is not the right one")

    async def take(self, secret: str, body: bytes) -> None:
        """Keep a page.

        Raises:
            NotAuthenticated: Somebody else sent it.
            BadRequest: It is no JSON object.
            StoreUnavailable: It is not kept; the company sends it again.
        """
        self.check(secret)
        inbound = parse(read_object(body, BODY_BYTES), self._longest, time.time())
        if inbound is not None:
            await self._inbox.accept(inbound)
