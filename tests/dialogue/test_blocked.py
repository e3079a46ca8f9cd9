"""A blocked customer: counted, not kept, not answered, whatever they do."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from talk import Talk

from bot.conversation.changes import Changes
from bot.desk.conversation.moves import update
from bot.stores.tables import conversations, messages

pytestmark = pytest.mark.model


async def _mark(talk: Talk, *, blocked: bool) -> None:
    conversation = await talk.state()
    changes = Changes(talk.settings.shards, talk.database, talk.redis)
    await changes.apply(conversation.id, lambda c: update(c, conversation, blocked=blocked))


@pytest.mark.parametrize("state", ["bot", "closed"])
async def test_what_a_blocked_customer_writes_is_counted_and_not_kept(
    talk: Talk, state: str
) -> None:
    await talk.say("hello")
    await talk.state()
    talk.database.call(lambda c: c.execute(sa.update(conversations).values(state=state)))
    await _mark(talk, blocked=True)
    before = await talk.state()
    assert await talk.say("let me in") == []
    assert await talk.say(kind="start") == []
    refused = await talk.recorded("message.refused")
    assert [event["data"] for event in refused] == [{"reason": "blocked"}] * 2
    texts = talk.database.call(lambda c: c.execute(sa.select(messages.c.text)).scalars().all())
    assert "let me in" not in texts
    after = await talk.state()
    assert (after.state, after.version) == (before.state, before.version)


async def test_an_unblocked_customer_is_answered_again(talk: Talk) -> None:
    await talk.say("hello")
    await _mark(talk, blocked=True)
    assert await talk.say("where is my order") == []
    await _mark(talk, blocked=False)
    assert await talk.say("where is my order")
