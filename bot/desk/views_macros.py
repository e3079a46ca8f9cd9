"""Macros: the page where administrators write them, and running one."""

from __future__ import annotations

from aiohttp import web
from sqlalchemy.engine import Connection

from bot.conversation.states import HUMAN, State
from bot.conversation.store import Conversation
from bot.desk import app_keys, macros, views_actions
from bot.desk.conversation import labels, moves, present
from bot.desk.lists import queries
from bot.desk.macros import Macro, Step
from bot.desk.people import audit
from bot.desk.texts import Texts
from bot.desk.web import (
    action_key,
    agent_of,
    done,
    form,
    page,
    require_admin,
    session_of,
    texts_of,
)
from bot.errors import TransitionRefused
from bot.handoff.snooze import UNTIL_REPLY


async def show(request: web.Request) -> web.StreamResponse:
    made = await request.app[app_keys.DATABASE].read(macros.list_all)
    texts = texts_of(request)
    listed = [(one, [_words(texts, step) for step in one.steps]) for one in made]
    return page(request, "macros.html", macros=listed)


async def save(request: web.Request) -> web.StreamResponse:
    require_admin(request)
    fields, user = await form(request), session_of(request).user
    topics = request.app[app_keys.TOPICS]
    steps = macros.parse(fields, topics)

    def work(connection: Connection) -> None:
        made = macros.save(connection, fields.get("name", ""), steps)
        audit.write(connection, user.id, "macro.saved", made.id)

    await request.app[app_keys.DATABASE].run(work)
    return done(request, "/macros")


async def remove(request: web.Request) -> web.StreamResponse:
    require_admin(request)
    macro_id, user = request.match_info["macro"], session_of(request).user

    def work(connection: Connection) -> None:
        macros.remove(connection, macro_id)
        audit.write(connection, user.id, "macro.removed", macro_id)

    await request.app[app_keys.DATABASE].run(work)
    return done(request, "/macros")


async def choices(request: web.Request) -> web.StreamResponse:
    """All macros as JSON for the page's dialog: `id`, `name`, `does` (one line)."""
    made = await request.app[app_keys.DATABASE].read(macros.list_all)
    texts = texts_of(request)
    return web.json_response(
        [
            {
                "id": one.id,
                "name": one.name,
                "does": " · ".join(_words(texts, step) for step in one.steps),
            }
            for one in made
        ]
    )


async def run(request: web.Request) -> web.StreamResponse:
    """Do what a macro says to a conversation of this agent, in order; the first refusal stops it.

    Each step has a key of its own made from the click's, so a repeated request does none twice.
    """
    fields = await form(request)
    key, conversation = action_key(fields), request.match_info["conversation"]

    def look(connection: Connection) -> tuple[Macro, str, Conversation]:
        found = moves.found(connection, conversation)
        name = queries.rows_of(connection, [conversation])[0].name
        return macros.get(connection, request.match_info["macro"]), name, found

    macro, name, current = await request.app[app_keys.DATABASE].read(look)
    customer = present.customer_name(texts_of(request), name, conversation)
    ends = macro.steps[-1]["do"] in macros.ENDS
    # Ended by this very click: nothing is left to do.
    repeated = ends and current.last_change == f"{key}-{len(macro.steps) - 1}"
    ours = current.owner == agent_of(request).id and current.state in HUMAN
    if not repeated and not ours:
        # Before the first step: half a macro helps nobody.
        raise TransitionRefused(conversation, current.state, State.ASSIGNED)
    if any(step["do"] == "reply" for step in macro.steps):
        await views_actions.hold_back(request, {} if repeated else fields)
    for number, step in enumerate(() if repeated else macro.steps):
        await _do(request, conversation, step, f"{key}-{number}", customer)
    target = "/inbox/mine" if ends else f"/inbox/mine/{conversation}"
    return done(request, target, stays=not ends)


async def _do(request: web.Request, conversation: str, step: Step, key: str, customer: str) -> None:
    app, agent = request.app, agent_of(request)
    service, database = app[app_keys.SERVICE], app[app_keys.DATABASE]
    match step["do"]:
        case "note":
            await views_actions.write_note(request, step["text"], key)
        case "label":
            await database.run(lambda c: labels.add(c, conversation, step["label"]))
            await app[app_keys.HUB].publish(conversation, "label")
        case "priority":
            await moves.prioritise(
                app[app_keys.CHANGES], conversation, agent, int(step["priority"]), key=key
            )
        case "reply":
            text = macros.filled(
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
            await app[app_keys.SNOOZER].put_aside(conversation, agent, until=UNTIL_REPLY, key=key)


def _words(texts: Texts, step: Step) -> str:
    """One step in words."""
    match step["do"]:
        case "note" | "reply":
            return texts.say(f"macro.does_{step['do']}", text=present.snippet(step["text"])[:80])
        case "label":
            return texts.say("macro.does_label", label=step["label"])
        case "priority":
            return texts.say(
                "macro.does_priority", priority=texts.word("priority", str(step["priority"]))
            )
        case "resolve":
            about = present.topic(texts, step["topic"])
            outcome = texts.word("outcome", step["outcome"])
            return texts.say("macro.does_resolve", words=f"{about} · {outcome}")
    return texts.say(f"macro.does_{step['do']}")
