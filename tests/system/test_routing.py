"""Automatic routing over all processes: who is there gets who waits, and the customer hears it."""

from __future__ import annotations

import asyncio
import http.cookiejar
from pathlib import Path

import aiohttp
from running import DeskAgent, System, running, until


def _cookies(agent: DeskAgent) -> dict[str, str]:
    for handler in agent._opener.handlers:
        jar = getattr(handler, "cookiejar", None)
        if isinstance(jar, http.cookiejar.CookieJar):
            return {cookie.name: str(cookie.value) for cookie in jar}
    raise AssertionError("no cookies")


def _owner(system: System) -> str | None:
    ((owner,),) = system.sql("SELECT owner FROM conversations")
    return owner


async def test_an_agent_who_comes_is_given_who_waits(tmp_path: Path) -> None:
    with running(tmp_path / "state", ROUTING_MODE="automatic") as system:
        asked = await asyncio.to_thread(system.rest, "ann", "I want to talk to a person")
        assert asked[-1]["utter"] == "utter_handoff_nobody"
        agent = await asyncio.to_thread(DeskAgent, system)
        async with (
            aiohttp.ClientSession(cookies=_cookies(agent)) as session,
            session.ws_connect(f"{system.desk}/socket", origin=system.desk),
        ):
            await asyncio.to_thread(
                until, lambda: _owner(system), within_s=20, what="the agent is given it"
            )
        ((conversation,),) = system.sql("SELECT id FROM conversations")
        (assigned,) = await asyncio.to_thread(system.recorded, conversation, "handoff.assigned")
        assert assigned["why"] == "team"
        await asyncio.to_thread(
            until,
            lambda: system.sql("SELECT 1 FROM messages WHERE author = 'automatic'"),
            within_s=20,
            what="the customer hears who joined",
        )
