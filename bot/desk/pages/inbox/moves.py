"""Reopen, priority, block, merge: thin shells; each says how the page may take it back."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from sqlalchemy.engine import Connection

from bot.desk import app_keys
from bot.desk.acting import conversation_of, page_of
from bot.desk.conversation import blocking, mentions, merging, moves, present
from bot.desk.people import audit, scope
from bot.desk.search import customers, index
from bot.desk.web import CONVERSATION, action_key, agent_of, done, form, session_of, texts_of
from bot.errors import BadRequest
from bot.routing import presence, teams
from bot.streams import addresses


async def reopen(request: web.Request) -> web.StreamResponse:
    """Take an ended episode up again; the customer is told who has it now."""
    key, agent = action_key(await form(request)), agent_of(request)
    changed = await moves.reopen(
        request.app[app_keys.CHANGES], conversation_of(request), agent, key=key
    )
    await request.app[app_keys.SERVICE].greet(changed, agent, key=key)
    return done(request, page_of(request, "mine"))


async def prioritise(request: web.Request) -> web.StreamResponse:
    fields = await form(request)
    key, priority = action_key(fields), moves.parse_priority(fields.get("priority", ""))
    before = await moves.prioritise(
        request.app[app_keys.CHANGES],
        conversation_of(request),
        agent_of(request),
        priority,
        key=key,
    )
    undo = {"action": "priority", "fields": {"priority": str(before)}}
    return done(request, page_of(request, "open"), undo=undo if before != priority else None)


async def block(request: web.Request) -> web.StreamResponse:
    """Block the customer and, with `address`, new chats from where they wrote, for a day."""
    fields = await form(request)
    key, conversation = action_key(fields), conversation_of(request)
    await blocking.block(
        request.app[app_keys.DATABASE],
        request.app[app_keys.CHANGES],
        conversation,
        agent_of(request),
        topic=request.app[app_keys.TOPICS][-1],
        key=key,
    )
    if fields.get("address") and await addresses.block(request.app[app_keys.REDIS], conversation):
        await _note(request, "address.blocked", conversation)
    return done(request, page_of(request, "open"), undo={"action": "unblock", "fields": {}})


async def unblock(request: web.Request) -> web.StreamResponse:
    action_key(await form(request))
    unblocked = await blocking.unblock(
        request.app[app_keys.DATABASE],
        request.app[app_keys.CHANGES],
        conversation_of(request),
        agent_of(request),
    )
    for conversation in unblocked:
        if await addresses.unblock(request.app[app_keys.REDIS], conversation):
            await _note(request, "address.unblocked", conversation)
    return done(request, page_of(request, "open"))


async def address(request: web.Request) -> web.StreamResponse:
    """Whether there is an address to shut along with the customer (`kept`), as JSON."""
    kept = await addresses.is_kept(request.app[app_keys.REDIS], conversation_of(request))
    return web.json_response({"kept": kept})


async def _note(request: web.Request, action: str, conversation: str) -> None:
    user = session_of(request).user
    await request.app[app_keys.DATABASE].run(
        lambda c: audit.write(c, user.id, action, conversation)
    )


async def targets(request: web.Request) -> web.StreamResponse:
    """Whom a conversation can go to, as JSON: agents, those at their desk first, and teams."""
    at_desk = await presence.idle_times(request.app[app_keys.REDIS])

    def work(connection: Connection) -> dict[str, Any]:
        agents = [
            {"id": ident, "name": name, "online": ident in at_desk}
            for ident, name in mentions.agents(connection)
        ]
        agents.sort(key=lambda agent: not agent["online"])
        listed = [{"id": team.id, "name": team.name} for team in teams.list_teams(connection)]
        return {"agents": agents, "teams": listed}

    return web.json_response(await request.app[app_keys.DATABASE].read(work))


async def alike(request: web.Request) -> web.StreamResponse:
    """Customers to merge with, as JSON: found by the words of `q`, else of the same name."""
    query, conversation = request.query.get("q", "")[:200], conversation_of(request)
    if query:
        await index.refresh(request.app[app_keys.DATABASE])
    user = session_of(request).user
    found = await request.app[app_keys.DATABASE].read(
        lambda c: customers.alike(c, conversation, query, scope.of(c, user))
    )
    texts = texts_of(request)
    return web.json_response(
        [
            {
                "conversation": customer.conversation,
                "name": present.customer_name(texts, customer.name, customer.conversation),
                "channel": texts.word("channel", customer.channel),
            }
            for customer in found
        ]
    )


async def merge(request: web.Request) -> web.StreamResponse:
    fields, user = await form(request), session_of(request).user
    action_key(fields)
    other = fields.get("other", "")[:64]
    await request.app[app_keys.DATABASE].read(lambda c: scope.check(c, user, other))
    made = await merging.merge(
        request.app[app_keys.DATABASE],
        request.app[app_keys.CHANGES],
        conversation_of(request),
        other,
        agent_of(request),
    )
    undo = {"action": "part", "fields": {"merge": made}}
    return done(request, page_of(request, "open"), undo=undo)


async def part(request: web.Request) -> web.StreamResponse:
    """Take a merge back that this conversation's customer came from."""
    fields = await form(request)
    action_key(fields)
    merge_id, conversation = fields.get("merge", "")[:64], conversation_of(request)

    def check(connection: Connection) -> None:
        if conversation not in merging.conversations_of(connection, merge_id):
            raise BadRequest("unknown-merge", "There is no such merge.", status=404)

    await request.app[app_keys.DATABASE].read(check)
    await merging.part(
        request.app[app_keys.DATABASE], request.app[app_keys.CHANGES], merge_id, agent_of(request)
    )
    return done(request, page_of(request, "open"))


ROUTES = (
    web.get("/targets.json", targets),
    web.post(CONVERSATION + "/reopen", reopen),
    web.post(CONVERSATION + "/priority", prioritise),
    web.post(CONVERSATION + "/block", block),
    web.post(CONVERSATION + "/unblock", unblock),
    web.get(CONVERSATION + "/address.json", address),
    web.get(CONVERSATION + "/customers.json", alike),
    web.post(CONVERSATION + "/merge", merge),
    web.post(CONVERSATION + "/part", part),
)
