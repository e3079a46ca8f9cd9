"""A conversation that the team of complaints had, for tests of who reads it afterwards.

`asha` is in the team of complaints, `ravi` in that of orders, `boss` is an admin.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

import desk_seed as seed
import sqlalchemy as sa
from desk_world import Desk

from bot.conversation import store
from bot.conversation.states import State
from bot.desk import app_keys
from bot.handoff.service import Agent
from bot.routing import teams
from bot.routing.model import Team
from bot.stores.tables import conversations, dead_letters, files, messages
from bot.streams.messages import Inbound

ASHA, RAVI, BOSS = Agent("u-asha", "Asha"), Agent("u-ravi", "Ravi"), Agent("u-boss", "Boss", True)
WORD = "kaleidoscope"
"""In everything the team of complaints hears and says."""
FILE = "/files/" + "f" * 20


async def talked(desk: Desk) -> Team:
    """A conversation that the team of complaints has, and talked in."""

    def work(c: sa.Connection) -> Team:
        team = teams.save_team(c, Team("", "Complaints"))
        teams.set_members(c, team.id, ["u-asha"])
        other = teams.save_team(c, Team("", "Orders"))
        teams.set_members(c, other.id, ["u-ravi"])
        seed.conversation(c, "talk", name="Zelda", episode_started_at=time.time() - 900)
        seed.event(c, "talk", "episode.started", occurred_at=time.time() - 900)
        seed.message(c, "talk", f"{WORD} told to the bot", created_at=time.time() - 800)
        current = store.get(c, "talk")
        assert current is not None
        store.change(c, current, State.WAITING, key="handoff", team=team.id, cause="asked")
        seed.message(c, "talk", f"{WORD} told to the team", created_at=time.time() - 700)
        reading = {"ranking": [["faq/seed-refunds", 0.9]], "entry": f"{WORD}-entry"}
        seed.message(c, "talk", f"{WORD} again", created_at=time.time() - 690, reading=reading)
        c.execute(sa.update(messages).values(language="hi"))
        return team

    team = desk.database.call(work)
    await desk.service.claim("talk", ASHA, key="claim-by-asha")
    asha = await desk.browser("asha")
    for path, fields in (
        ("note", {"text": f"{WORD} noted"}),
        ("labels", {"label": f"{WORD}-label"}),
    ):
        status, _ = await asha.act(f"/conversations/talk/{path}", key=f"{path}-of-asha", **fields)
        assert status == 200

    def file(c: sa.Connection) -> None:
        sent = seed.message(c, "talk", f"{WORD} with a file", created_at=time.time() - 600)
        row = {"id": "f" * 20, "conversation": "talk", "message": sent, "author": "customer"}
        more = {"kind": "file", "name": f"{WORD}.pdf", "type": "application/pdf", "size": 4}
        stored = {"state": "stored", "created_at": time.time()}
        c.execute(sa.insert(files).values(**row, **more, **stored))
        letter = {"id": "d1", "direction": "out", "conversation": "talk", "body": {}}
        c.execute(
            sa.insert(dead_letters).values(
                **letter, error=f"{WORD} failed", created_at=time.time() - 600
            )
        )

    desk.database.call(file)

    async def stored() -> AsyncIterator[bytes]:
        yield b"%PDF"

    await desk.server.app[app_keys.FILES].put("f" * 20, stored(), 100, lambda head: None)
    return team


async def give_back(desk: Desk) -> None:
    await desk.service.give_back("talk", ASHA, key="return-by-asha")


async def begin_anew(desk: Desk) -> None:
    """The agent resolves, and the customer writes again."""
    await desk.service.resolve(
        "talk", ASHA, topic=f"{WORD}-topic", outcome="solved", key="resolve-by-asha"
    )
    again = Inbound(
        id="m-again",
        conversation="talk",
        channel="webchat",
        account="demo",
        vendor_user="v-talk",
        received_at=time.time(),
    )
    desk.database.call(lambda c: store.open_for(c, again, "en"))


def say(desk: Desk, text: str, **values: Any) -> str:
    def work(c: sa.Connection) -> str:
        episode = c.execute(
            sa.select(conversations.c.episode_id).where(conversations.c.id == "talk")
        ).scalar_one()
        more = {"episode_id": episode, "created_at": time.time(), **values}
        return seed.message(c, "talk", text, **more)

    return desk.database.call(work)


def ids(desk: Desk) -> str:
    return " ".join(
        desk.database.call(lambda c: c.execute(sa.select(messages.c.id)).scalars().all())
    )
