"""Whoever waits for the replies of a turn learns, too, that there are none; nobody else is told."""

from __future__ import annotations

import json
from typing import Any

import builders
from talk import Talk

from bot.conversation.states import State
from bot.stores import redis_keys


async def _told(talk: Talk, conversation: str) -> list[Any]:
    shard = redis_keys.shard_of(conversation, talk.settings.shards)
    rows = await talk.redis.xrange(redis_keys.replies(shard))
    return [json.loads(fields["body"]) for _, fields in rows]


async def test_a_silent_turn_is_told_to_who_awaits_it(talk: Talk) -> None:
    found = builders.brought_to(talk.database, State.ASSIGNED)
    assert await talk.say("are you there?") == []
    assert await _told(talk, found.id) == []
    message = talk.message("hello?", awaited=True)
    await talk.handler.handle(message, await talk.arrive(message))
    nothing = {"in_reply_to": message.id, "conversation": found.id}
    assert await _told(talk, found.id) == [nothing]


async def test_a_turn_with_replies_says_nothing_of_its_own(talk: Talk) -> None:
    message = talk.message("where is my order", awaited=True)
    await talk.handler.handle(message, await talk.arrive(message))
    assert await talk.replies(message)
    assert await _told(talk, message.conversation) == []
