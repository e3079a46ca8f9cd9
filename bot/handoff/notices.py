"""Automatic messages to customers: in their language, once per id, through the outbox."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import redis.asyncio

from bot.content.texts import SystemTexts
from bot.conversation import store
from bot.conversation.store import Conversation
from bot.handoff.waiting import buttons
from bot.settings import Settings
from bot.stores.database import Database
from bot.streams import delivery
from bot.streams.messages import Outbound

FILE_REFUSED = "utter_file_refused"
MOST_ID_CHARS = 96


class Notices:
    """Sender of automatic messages; one per process."""

    def __init__(self, settings: Settings, database: Database, client: redis.asyncio.Redis) -> None:
        self._settings = settings
        self._database = database
        self._redis = client
        self.texts = SystemTexts.load(settings.default_language)

    async def say(
        self,
        conversation: Conversation,
        utter: str,
        id_: str,
        values: Mapping[str, object],
        *,
        actions: Sequence[str] = (),
        shown_as: str = "",
        in_reply_to: str = "",
    ) -> None:
        """Send a system answer; a blocked customer gets none.

        Args:
            utter: Name of the response in `domain.yml`.
            id_: Id of the message; a second call with the same id sends nothing.
            values: Values of the placeholders in the response.
            actions: Actions of its buttons.
            shown_as: Name of the agent, where the channel shows who joins.

        Raises:
            StoreUnavailable: It was not sent; sending it again is safe.
        """
        if conversation.blocked:
            return
        cut, language = id_[:MOST_ID_CHARS], conversation.language
        message = Outbound(
            id=cut,
            conversation=conversation.id,
            channel=conversation.channel,
            account=conversation.account,
            vendor_user=conversation.vendor_user,
            text=self.texts.render(utter, language, **values),
            author="automatic",
            agent=shown_as,
            # A notice may not exist in the customer's language.
            language=self.texts.language_for(utter, language),
            quick_replies=buttons(self.texts, cut, language, actions),
            utter=utter,
            in_reply_to=in_reply_to,
            created_at=time.time(),
            state=conversation.state.value,
        )
        await delivery.send(
            self._redis, self._settings.shards, message, episode_id=conversation.episode_id
        )

    async def file_refused(self, row: Mapping[str, Any]) -> None:
        """Tell a customer that their file reached nobody.

        Args:
            row: Row of `files`.

        Raises:
            StoreUnavailable: It was not sent; sending it again is safe.
        """
        conversation = await self._database.read(lambda c: store.get(c, row["conversation"]))
        if conversation is None:
            return
        limit = self._settings.max_file_bytes // (1024 * 1024) or 1
        await self.say(
            conversation,
            FILE_REFUSED,
            f"{row['id']}-refused",
            {"file": row["name"], "limit": limit},
            in_reply_to=row["message"],
        )
