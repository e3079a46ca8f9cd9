"""The widget on real parts, with a scripted engine instead of Rasa.

A real embedded Redis, SQLite and HTTP; what the engine, the sender and the recorder would do is
done by `ScriptedEngine`, at once and in order.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import redis.asyncio
from aiohttp import web
from sqlalchemy.engine import Connection

from bot.conversation import store
from bot.conversation.states import State
from bot.errors import StoreUnavailable
from bot.housekeeping import erasure
from bot.settings import Settings
from bot.stores.database import Database, insert_ignore
from bot.stores.redis_client import EmbeddedServer, connect
from bot.stores.tables import METADATA, messages
from bot.streams.delivery import message_row
from bot.streams.messages import Inbound, Outbound, QuickReply
from channels.kit.app_keys import DATABASE, ERASE, INBOX, REDIS, SETTINGS, Erase
from channels.webchat.server.client import WebchatClient
from channels.webchat.server.routes import add_routes
from channels.webchat.server.settings import WebchatSettings

Script = Callable[[Inbound], list[Outbound]]


def reply_to(inbound: Inbound, text: str, number: int = 0, **values: object) -> Outbound:
    """Make the reply an engine would make."""
    return Outbound(
        id=f"{inbound.id}:{number}",
        conversation=inbound.conversation,
        channel=inbound.channel,
        account=inbound.account,
        vendor_user=inbound.vendor_user,
        text=text,
        in_reply_to=inbound.id,
        created_at=time.time(),
        **values,  # type: ignore[arg-type]
    )


def jwt(claims: object, *, key: str, header: object = None) -> str:
    """Sign claims as a site's own server would."""

    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    signed = f"{part(header or {'alg': 'HS256', 'typ': 'JWT'})}.{part(claims)}"
    mac = hmac.new(key.encode(), signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def echo_script(inbound: Inbound) -> list[Outbound]:
    """Answer with the question, and two quick replies."""
    said = inbound.text or inbound.tap or inbound.kind
    choices = (QuickReply("q1", "Yes"), QuickReply("q2", "No"))
    return [reply_to(inbound, f"You said: {said}", quick_replies=choices)]


@dataclass
class ScriptedEngine:
    """Stands in for the inbox and all behind it."""

    client: WebchatClient
    database: Database
    script: Script = echo_script
    taken: list[Inbound] = field(default_factory=list)
    is_away: bool = False
    is_silent: bool = False
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def accept(self, inbound: Inbound) -> bool:
        if self.is_away:
            raise StoreUnavailable("redis", "switched off by the test")
        if any(known.id == inbound.id for known in self.taken):
            return False
        self.taken.append(inbound)
        if not self.is_silent:
            task = asyncio.create_task(self._answer(inbound))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)
        return True

    async def _answer(self, inbound: Inbound) -> None:
        for outbound in self.script(inbound):
            await self.client.send(outbound)

    async def say(self, outbound: Outbound) -> None:
        await self.client.send(outbound)

    async def record(self, inbound: Inbound, *replies: Outbound) -> None:
        """Store what the recorder would store."""
        own = {
            **message_row(reply_to(inbound, inbound.text), "episode"),
            "id": inbound.id,
            "author": "customer",
            "created_at": inbound.received_at,
            "in_reply_to": "",
        }
        rows = [own, *(message_row(reply, "episode") for reply in replies)]
        await self.database.run(lambda connection: insert_ignore(connection, messages, rows))

    async def assign(self, inbound: Inbound, agent: str) -> None:
        """Give the conversation to an agent, as the desk would."""

        def change(connection: Connection) -> None:
            found = store.open_for(connection, inbound, "en")
            store.change(connection, found, State.ASSIGNED, key="claim", owner=agent)

        await self.database.run(change)


@dataclass
class Shop:
    """Everything a test wants to touch."""

    app: web.Application
    settings: Settings
    engine: ScriptedEngine
    server: EmbeddedServer
    redis: redis.asyncio.Redis


def open_shop(
    state_dir: Path,
    server: EmbeddedServer,
    widget: WebchatSettings | None = None,
    **settings: object,
) -> Shop:
    """Build the application; the caller runs it and closes `redis` and the database."""
    chosen = replace(Settings(state_dir=state_dir), **settings)  # type: ignore[arg-type]
    chosen = chosen.with_parts(widget or WebchatSettings())
    database = Database.of(chosen)
    METADATA.create_all(database.engine)
    client = connect(chosen)
    engine = ScriptedEngine(WebchatClient(client, chosen), database)
    app = web.Application()
    app[SETTINGS], app[REDIS], app[DATABASE], app[INBOX] = chosen, client, database, engine
    erase: Erase = partial(erasure.erase_own, chosen, database, client)
    app[ERASE] = erase
    add_routes(app)
    return Shop(app, chosen, engine, server, client)
