"""Agents' actions on conversations: claim, reply, give back, resolve, transfer.

Each action changes SQL first (compare-and-set), then the copy in Redis, then sends the notice to
the customer through the outbox. Every call has an idempotency key, so a double click acts once.
"""

from __future__ import annotations

import time
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import redis.asyncio
from sqlalchemy.engine import Connection

from bot.conversation import store
from bot.conversation.changes import Changes
from bot.conversation.states import ENDED, HUMAN, State
from bot.conversation.store import Conversation
from bot.errors import BadRequest, TransitionRefused
from bot.events import (
    AgentReplied,
    ConversationResolved,
    Event,
    EventData,
    HandoffReturned,
    HandoffTransferred,
)
from bot.files.rows import uploads
from bot.handoff import passing
from bot.handoff.notices import Notices
from bot.handoff.taking import take
from bot.routing import presence
from bot.routing.model import Match
from bot.routing.queue import place_of
from bot.settings import Settings
from bot.stores.database import Database
from bot.streams import delivery
from bot.streams.attachments import MOST_IN_MESSAGE, Attachment
from bot.streams.messages import Outbound

MAX_REPLY_CHARS = 4000
QUIET_AFTER_LEAVING = frozenset({"utter_agent_joined", "utter_agent_transferred"})
"""Notices about agents, not sent to customers who left a message."""


@dataclass(frozen=True)
class Agent:
    """An agent at the desk."""

    id: str
    name: str
    supervises: bool = False
    """Whether they may move conversations of other agents."""


class HandoffService:
    """Actions of agents; one per process."""

    def __init__(self, settings: Settings, database: Database, redis: redis.asyncio.Redis) -> None:
        self._settings = settings
        self._database = database
        self._redis = redis
        self._changes = Changes(settings.shards, database, redis)
        self._notices = Notices(settings, database, redis)

    async def claim(self, conversation_id: str, agent: Agent, *, key: str) -> Conversation:
        """Take a waiting conversation, or take it over; exactly one caller wins.

        It is taken over from the bot, or from people in a page's own inbox, who never mark it as
        done.

        Raises:
            StaleConversation, TransitionRefused: Another agent was faster, or it has ended.
        """

        def work(connection: Connection) -> Conversation:
            current = self._get(connection, conversation_id)
            if current.state in HUMAN and store.is_answered_elsewhere(current):
                return passing.to_agent(
                    connection,
                    current,
                    agent.id,
                    key=key,
                    event=lambda c, what: self._event(c, what, key, agent),
                )
            repeated = current.owner == agent.id and current.last_change == key
            if current.state in HUMAN | ENDED and not repeated:
                raise TransitionRefused(conversation_id, current.state, State.ASSIGNED)
            return take(
                connection,
                current,
                agent.id,
                key=key,
                event=lambda c, what: self._event(c, what, key, agent),
            )

        changed = await self._changes.apply(conversation_id, work)
        await self._notice(changed, "utter_agent_joined", key, agent)
        return changed

    async def reply(
        self,
        conversation_id: str,
        agent: Agent,
        text: str,
        *,
        key: str,
        translated: Mapping[str, str] | None = None,
        files: Sequence[str] = (),
    ) -> str:
        """Send an agent's reply to the customer.

        Args:
            translated: `provider`, `original` and `original_language` when a machine made `text`
                from what the agent wrote.
            files: Ids of this agent's uploads; with some, the text may be empty.

        Returns:
            The message id.

        Raises:
            BadRequest: The text is empty or longer than `MAX_REPLY_CHARS`, or a file is not this
                agent's or was sent before.
            TransitionRefused: The conversation is not this agent's.
        """
        words = text.strip()
        if (not words and not files) or len(words) > MAX_REPLY_CHARS:
            raise BadRequest("text-length", f"write 1 to {MAX_REPLY_CHARS} characters")
        current = await self._database.read(lambda c: self._get(c, conversation_id))
        if current.owner != agent.id or current.state not in {State.ASSIGNED, State.SNOOZED}:
            raise TransitionRefused(conversation_id, current.state, State.ASSIGNED)
        if current.blocked:
            raise BadRequest("customer-blocked", "Unblock the customer first.", status=409)
        message = Outbound(
            id=_id(current, key),
            conversation=current.id,
            channel=current.channel,
            account=current.account,
            vendor_user=current.vendor_user,
            text=unicodedata.normalize("NFC", words),
            author="agent",
            agent=agent.name,
            language=current.language,
            created_at=time.time(),
            state=current.state.value,
        )
        message = replace(message, attachments=await self._uploads(message, agent, files))
        if translated:
            message = replace(message, metadata={"machine": True, **translated})
        await delivery.send(
            self._redis,
            self._settings.shards,
            message,
            episode_id=current.episode_id,
            events=[self._event(current, AgentReplied(len(words)), key, agent)],
        )
        return message.id

    async def _uploads(
        self, message: Outbound, agent: Agent, ids: Sequence[str]
    ) -> tuple[Attachment, ...]:
        if len(ids) > MOST_IN_MESSAGE:
            raise BadRequest("too-many-files", f"send at most {MOST_IN_MESSAGE} files at once")
        attachments = await self._database.read(
            lambda c: uploads(
                c, message.conversation, ids, author="agent", message=message.id, user_id=agent.id
            )
        )
        if attachments is None:
            raise BadRequest("unknown-file", "a file is unknown or was sent before")
        return tuple(attachments)

    async def give_back(self, conversation_id: str, agent: Agent, *, key: str) -> Conversation:
        """Return the conversation to the bot, which introduces itself again."""
        changed = await self._owned(conversation_id, agent, State.BOT, key, HandoffReturned())
        await self._notice(changed, "utter_agent_returned", key, agent)
        return changed

    async def resolve(
        self, conversation_id: str, agent: Agent, *, topic: str, outcome: str, key: str
    ) -> Conversation:
        """End the episode with its topic and outcome, in the agent's words."""
        resolved = ConversationResolved(topic[:64], outcome[:64])
        changed = await self._owned(conversation_id, agent, State.RESOLVED, key, resolved)
        await self._notice(changed, "utter_resolved", key, agent)
        return changed

    async def requeue(
        self, conversation_id: str, agent: Agent, *, note: str, key: str
    ) -> Conversation:
        """Put the conversation back into the queue, before later ones."""
        changed = await self._owned(
            conversation_id,
            agent,
            State.WAITING,
            key,
            HandoffTransferred(len(note)),
            last_agent=None,
        )
        await self._notice(changed, "utter_agent_transferred", key, agent)
        return changed

    async def transfer(
        self,
        conversation_id: str,
        agent: Agent,
        *,
        key: str,
        to_team: str = "",
        to_agent: str = "",
        note: str = "",
    ) -> Conversation:
        """Transfer a conversation to an agent, or into the queue of a team.

        Args:
            to_team: Id of the team; without team and agent it keeps its team.
            note: Only its length is stored here; the desk stores notes.

        Raises:
            BadRequest: There is no such team or agent, or the agent may not log in.
            TransitionRefused: It is another agent's (and this one no supervisor), or ended.
        """
        if to_agent:
            return await self.assign(conversation_id, agent, to_agent, key=key)

        def work(connection: Connection) -> Conversation:
            current = self._get(connection, conversation_id)
            if not (current.last_change == key and current.state == State.WAITING):
                if current.state not in HUMAN:
                    raise TransitionRefused(conversation_id, current.state, State.WAITING)
                passing.check_right(current, agent.id, agent.supervises, State.WAITING)
            return passing.to_team(
                connection,
                current,
                to_team,
                key=key,
                note=note,
                event=lambda c, what: self._event(c, what, key, agent),
            )

        changed = await self._changes.apply(conversation_id, work)
        await self._notice(changed, "utter_agent_transferred", key, agent)
        return changed

    async def assign(
        self, conversation_id: str, agent: Agent, to: str, *, key: str
    ) -> Conversation:
        """Give a conversation to an agent: from the queue, the bot or another agent.

        Raises:
            BadRequest: There is no such agent, or they may not log in.
            TransitionRefused: It is another agent's (and this one no supervisor), or ended.
        """

        def work(connection: Connection) -> Conversation:
            current = self._get(connection, conversation_id)
            if current.last_change == key and current.owner == to:
                return current
            passing.check_right(current, agent.id, agent.supervises, State.ASSIGNED)
            return passing.to_agent(
                connection,
                current,
                to,
                key=key,
                event=lambda c, what: self._event(c, what, key, agent),
            )

        changed = await self._changes.apply(conversation_id, work)
        name = await self._database.read(lambda c: passing.name(c, to))
        await self._notice(changed, "utter_agent_joined", key, Agent(to, name))
        return changed

    async def route(self, match: Match) -> bool:
        """Carry out a decision of the matching; exactly one process can.

        Raises:
            TransitionRefused: The conversation changed since the decision, or the agent has no
                free capacity any more.
        """
        key = f"route:{match.conversation[-24:]}:{match.version}"

        def work(connection: Connection) -> Conversation:
            current = self._get(connection, match.conversation)
            return passing.route(connection, current, match, key=key)

        changed = await self._changes.apply(match.conversation, work)
        name = await self._database.read(lambda c: passing.name(c, match.agent))
        await self._notice(changed, "utter_agent_joined", key, Agent(match.agent, name))
        return True

    async def online(self) -> int:
        """Count agents online."""
        return await presence.count_online(self._redis)

    async def seen(self, agent_id: str) -> None:
        """Note a heartbeat of an agent's open desk."""
        await presence.mark_online(self._redis, agent_id)

    async def active(self, agent_id: str) -> None:
        """Note that the agent is active at their desk."""
        await presence.mark_active(self._redis, agent_id)

    async def arrived(self, agent_id: str) -> None:
        """Note that the agent opened a desk."""
        await presence.mark_online(self._redis, agent_id)
        await presence.mark_active(self._redis, agent_id)
        await presence.announce(self._redis, "presence")

    async def gone(self, agent_id: str) -> None:
        """Note that the agent's last desk was closed."""
        await presence.mark_offline(self._redis, agent_id)
        await presence.announce(self._redis, "presence")

    async def _owned(
        self,
        conversation_id: str,
        agent: Agent,
        target: State,
        key: str,
        data: EventData,
        **values: Any,
    ) -> Conversation:
        def work(connection: Connection) -> Conversation:
            current = self._get(connection, conversation_id)
            if current.last_change == key and current.state == target:
                return current
            # The owner stays after the end, when only the customer's next message or reopening may
            # change the conversation.
            if current.owner != agent.id or current.state not in HUMAN:
                raise TransitionRefused(conversation_id, current.state, target)
            events = (self._event(current, data, key, agent),)
            return store.change(connection, current, target, key=key, events=events, **values)

        return await self._changes.apply(conversation_id, work)

    async def greet(self, conversation: Conversation, agent: Agent, *, key: str) -> None:
        """Tell the customer which agent has reopened their conversation."""
        await self._notice(conversation, "utter_agent_joined", key, agent)

    async def _notice(self, conversation: Conversation, utter: str, key: str, agent: Agent) -> None:
        if utter in QUIET_AFTER_LEAVING and conversation.callback_at:
            return  # They left a message: they get the answer itself.
        place = 0
        if utter == "utter_agent_transferred":
            agents = await self.online()
            queued = await self._database.read(lambda c: place_of(c, conversation, agents))
            place = queued.place
        await self._notices.say(
            conversation,
            utter,
            _id(conversation, f"{key}:{utter}"),
            {"agent": agent.name, "place": place, "business": self._settings.business_name},
            shown_as=agent.name if utter == "utter_agent_joined" else "",
        )

    @staticmethod
    def _get(connection: Connection, conversation_id: str) -> Conversation:
        conversation = store.get(connection, conversation_id)
        if conversation is None:
            raise BadRequest("unknown-conversation", "there is no such conversation", status=404)
        return conversation

    @staticmethod
    def _event(conversation: Conversation, data: EventData, key: str, agent: Agent) -> Event:
        return Event.of(
            conversation, data, key=f"{conversation.id}:{key}", actor="agent", actor_id=agent.id
        )


def _id(conversation: Conversation, key: str) -> str:
    """Return the id of a message from the desk; the same for the same click."""
    return f"d-{conversation.id[-12:]}-{key}"[:96]
