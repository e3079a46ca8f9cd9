"""What agents do: thin shells around the handoff service, notes, labels and snoozes."""

from __future__ import annotations

import time

from aiohttp import web
from sqlalchemy.engine import Connection

from bot.desk import app_keys
from bot.desk.acting import conversation_of, hold_back, page_of, write_note
from bot.desk.conversation import labels, mentions, notes, present, reads
from bot.desk.people import scope
from bot.desk.web import CONVERSATION, action_key, agent_of, done, form, session_of, texts_of
from bot.errors import BadRequest
from bot.handoff import snooze
from bot.handoff.service import MAX_REPLY_CHARS


async def claim(request: web.Request) -> web.StreamResponse:
    key = action_key(await form(request))
    await request.app[app_keys.SERVICE].claim(conversation_of(request), agent_of(request), key=key)
    return done(request, page_of(request, "mine"))


async def reply(request: web.Request) -> web.StreamResponse:
    """Send an answer, unless the customer wrote something the page did not show yet.

    `last` is the id of the newest customer message on the page; leave it out to send anyway.
    """
    fields = await form(request)
    key = action_key(fields)
    await hold_back(request, fields)
    text = fields.get("text", "").replace("\r\n", "\n")
    message = await request.app[app_keys.SERVICE].reply(
        conversation_of(request),
        agent_of(request),
        text,
        key=key,
        translated=_translated(request, fields),
        files=[id_ for id_ in fields.get("files", "").split(",") if id_],
    )
    return done(request, page_of(request, "mine"), message=message)


def _translated(request: web.Request, fields: dict[str, str]) -> dict[str, str] | None:
    """What the agent wrote, if a machine made the text from it; it is shown to agents only."""
    original = fields.get("original", "").replace("\r\n", "\n").strip()[:MAX_REPLY_CHARS]
    if not original:
        return None
    return {
        "provider": fields.get("provider", "")[:32],
        "original": original,
        "original_language": texts_of(request).language,
    }


async def give_back(request: web.Request) -> web.StreamResponse:
    key = action_key(await form(request))
    await request.app[app_keys.SERVICE].give_back(
        conversation_of(request), agent_of(request), key=key
    )
    return done(request, "/inbox/mine")


async def resolve(request: web.Request) -> web.StreamResponse:
    fields = await form(request)
    topic, outcome = fields.get("topic", ""), fields.get("outcome", "")
    if topic not in request.app[app_keys.TOPICS]:
        raise BadRequest("bad-topic", "Choose what the conversation was about.")
    if outcome not in present.OUTCOMES:
        raise BadRequest("bad-outcome", "Choose how it ended.")
    await request.app[app_keys.SERVICE].resolve(
        conversation_of(request),
        agent_of(request),
        topic=topic,
        outcome=outcome,
        key=action_key(fields),
    )
    return done(request, "/inbox/mine", undo={"action": "reopen", "fields": {}})


async def transfer(request: web.Request) -> web.StreamResponse:
    """To a team or an agent (`to`: `team:<id>`, `agent:<id>`, or empty for the queue)."""
    fields = await form(request)
    key, text = action_key(fields), notes.clean(fields.get("note", ""))
    kind, _, target = fields.get("to", "")[:80].partition(":")
    await request.app[app_keys.SERVICE].transfer(
        conversation_of(request),
        agent_of(request),
        key=key,
        note=text,
        to_team=target if kind == "team" else "",
        to_agent=target if kind == "agent" else "",
    )
    if text:
        await write_note(request, text, key)
    return done(request, "/inbox/mine")


async def assign(request: web.Request) -> web.StreamResponse:
    """Give the conversation to a named agent."""
    fields = await form(request)
    await request.app[app_keys.SERVICE].assign(
        conversation_of(request),
        agent_of(request),
        fields.get("agent", "")[:64],
        key=action_key(fields),
    )
    return done(request, page_of(request, "open"))


async def add_note(request: web.Request) -> web.StreamResponse:
    fields = await form(request)
    text = notes.clean(fields.get("text", ""))
    if not text:
        raise BadRequest("empty-note", "Write something.")
    await write_note(request, text, action_key(fields))
    return done(request, page_of(request, "open"))


async def set_labels(request: web.Request) -> web.StreamResponse:
    """Put one label on, or take one off (`remove`)."""
    fields = await form(request)
    conversation = conversation_of(request)
    label, remove = labels.clean(fields.get("label", "")), bool(fields.get("remove"))
    user = session_of(request).user

    def work(connection: Connection) -> None:
        change = labels.remove if remove else labels.add
        change(connection, conversation, label, scope.of(connection, user))

    await request.app[app_keys.DATABASE].run(work)
    await request.app[app_keys.HUB].publish(conversation, "label")
    undo = {"action": "labels", "fields": {"label": label, **({} if remove else {"remove": "1"})}}
    return done(request, page_of(request, "open"), undo=undo)


async def put_aside(request: web.Request) -> web.StreamResponse:
    """Snooze until `until` (Unix seconds) or until the customer writes."""
    fields = await form(request)
    until = snooze.parse_until(fields.get("until", ""), time.time())
    await request.app[app_keys.SNOOZER].snooze(
        conversation_of(request), agent_of(request), until=until, key=action_key(fields)
    )
    return done(request, "/inbox/mine", undo={"action": "wake", "fields": {}})


async def wake(request: web.Request) -> web.StreamResponse:
    fields = await form(request)
    await request.app[app_keys.SNOOZER].wake(
        conversation_of(request), agent_of(request).id, key=action_key(fields)
    )
    return done(request, page_of(request, "mine"))


async def mark_read(request: web.Request) -> web.StreamResponse:
    user, conversation, now = session_of(request).user, conversation_of(request), time.time()

    def work(connection: Connection) -> int:
        reads.mark_read(connection, user.id, conversation, now)
        return mentions.mark_seen(connection, user.id, conversation)

    if await request.app[app_keys.DATABASE].run(work):
        await request.app[app_keys.HUB].publish(conversation, "seen")
    return web.Response(status=204)


ROUTES = (
    web.post(CONVERSATION + "/claim", claim),
    web.post(CONVERSATION + "/reply", reply),
    web.post(CONVERSATION + "/return", give_back),
    web.post(CONVERSATION + "/resolve", resolve),
    web.post(CONVERSATION + "/transfer", transfer),
    web.post(CONVERSATION + "/assign", assign),
    web.post(CONVERSATION + "/note", add_note),
    web.post(CONVERSATION + "/labels", set_labels),
    web.post(CONVERSATION + "/snooze", put_aside),
    web.post(CONVERSATION + "/wake", wake),
    web.post(CONVERSATION + "/read", mark_read),
)
