"""Running a macro on a conversation: its steps in order, each once per click."""

from __future__ import annotations

from aiohttp import web
from sqlalchemy.engine import Connection

from bot.conversation.states import HUMAN, State
from bot.conversation.store import Conversation
from bot.desk import app_keys
from bot.desk.acting import conversation_of, hold_back, write_note
from bot.desk.conversation import labels, moves, present
from bot.desk.lists.rows import rows_of
from bot.desk.pages.macros import queries
from bot.desk.pages.macros.queries import Macro
from bot.desk.pages.macros.steps import ENDS, Step, filled
from bot.desk.people import scope
from bot.desk.web import action_key, agent_of, done, form, texts_of
from bot.errors import TransitionRefused
from bot.handoff.snooze import UNTIL_REPLY


async def run(request: web.Request) -> web.StreamResponse:
    """Do what a macro says to a conversation of this agent, in order; the first refusal stops it.

    Each step has a key of its own made from the click's, so a repeated request does none twice.
    """
    fields = await form(request)
    key, conversation = action_key(fields), conversation_of(request)

    def look(connection: Connection) -> tuple[Macro, str, Conversation]:
        found = moves.get_conversation(connection, conversation)
        name = rows_of(connection, [conversation])[0].name
        return queries.get(connection, request.match_info["macro"]), name, found

    macro, name, current = await request.app[app_keys.DATABASE].read(look)
    customer = present.customer_name(texts_of(request), name, conversation)
    ends = macro.steps[-1]["do"] in ENDS
    # Ended by this very click: nothing is left to do.
    repeated = ends and current.last_change == f"{key}-{len(macro.steps) - 1}"
    ours = current.owner == agent_of(request).id and current.state in HUMAN
    if not repeated and not ours:
        # Before the first step: half a macro helps nobody.
        raise TransitionRefused(conversation, current.state, State.ASSIGNED)
    if any(step["do"] == "reply" for step in macro.steps):
        await hold_back(request, {} if repeated else fields)
    for number, step in enumerate(() if repeated else macro.steps):
        await _do(request, conversation, step, f"{key}-{number}", customer)
    target = "/inbox/mine" if ends else f"/inbox/mine/{conversation}"
    return done(request, target, stays=not ends)


async def _do(request: web.Request, conversation: str, step: Step, key: str, customer: str) -> None:
    app, agent = request.app, agent_of(request)
    service, database = app[app_keys.SERVICE], app[app_keys.DATABASE]
    match step["do"]:
        case "note":
            await write_note(request, step["text"], key)
        case "label":
            await database.run(
                lambda c: labels.add(c, conversation, step["label"], scope.of_id(c, agent.id))
            )
            await app[app_keys.HUB].publish(conversation, "label")
        case "priority":
            await moves.prioritise(
                app[app_keys.CHANGES], conversation, agent, int(step["priority"]), key=key
            )
        case "reply":
            text = filled(
                step["text"],
                customer=customer,
                agent=agent.name,
                business=app[app_keys.SETTINGS].business_name,
            )
            await service.reply(conversation, agent, text, key=key)
        case "resolve":
            await service.resolve(
                conversation, agent, topic=step["topic"], outcome=step["outcome"], key=key
            )
        case "return":
            await service.give_back(conversation, agent, key=key)
        case "snooze":
            await app[app_keys.SNOOZER].snooze(conversation, agent, until=UNTIL_REPLY, key=key)
