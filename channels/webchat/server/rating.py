"""How it went: one to five and a few words, once for each episode that an agent resolved.

The score is an event, for the reports (docs/metrics.md, CSAT); the words are the customer's and
live in `survey_answers`, where they are erased with the rest.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from aiohttp import web
from sqlalchemy.engine import Connection

from bot.conversation import store
from bot.conversation.changes import announce
from bot.conversation.states import State
from bot.conversation.store import Conversation
from bot.errors import BadRequest, TooLarge
from bot.events import Event, SurveyAnswered
from bot.stores.database import insert_ignore
from bot.stores.event_log import write_events
from bot.stores.tables import survey_answers
from channels.kit.app_keys import DATABASE, REDIS, SETTINGS
from channels.kit.cleaning import clean, is_visible
from channels.webchat.server import receive, throttle
from channels.webchat.server.guard import NO_STORE, authenticate, check_own_origin, read_body

SURVEY = "csat"
SCORES = range(1, 6)
COMMENT_CHARS = 1000


@dataclass(frozen=True)
class Rating:
    """What a customer says."""

    score: int
    """1 (very bad) to 5 (very good)."""
    comment: str


def read(data: dict[str, Any]) -> Rating:
    """Read the body of a rating.

    Raises:
        BadRequest: `bad-score` or `wrong-type`.
        TooLarge: `text-too-long`.
    """
    score = data.get("score")
    if not isinstance(score, int) or isinstance(score, bool) or score not in SCORES:
        raise BadRequest("bad-score", "score must be a whole number from 1 to 5")
    raw = receive.field(data, "comment")
    if len(raw) > COMMENT_CHARS:
        raise TooLarge("text-too-long", f"write at most {COMMENT_CHARS} characters")
    comment = clean(raw)
    return Rating(score, comment if is_visible(comment) else "")


def is_due(connection: Connection, conversation: Conversation | None) -> bool:
    """Tell whether the last episode was resolved by an agent and is not rated yet."""
    if conversation is None or conversation.state != State.RESOLVED:
        return False
    a = survey_answers.c
    given = sa.select(a.score).where(a.episode_id == conversation.episode_id, a.survey == SURVEY)
    return connection.execute(given).first() is None


def keep(connection: Connection, conversation: str, rating: Rating, *, now: float) -> bool:
    """Store a rating; False when this episode has one.

    Raises:
        BadRequest: `not-over` while nobody has resolved the conversation.
    """
    current = store.get(connection, conversation)
    if current is None or current.state != State.RESOLVED:
        raise BadRequest("not-over", "this conversation has not been resolved", status=409)
    row = {
        "episode_id": current.episode_id,
        "survey": SURVEY,
        "conversation": current.id,
        "score": rating.score,
        "comment": rating.comment,
        "language": current.language,
        "answered_at": now,
    }
    if not insert_ignore(connection, survey_answers, [row]):
        return False
    answered = SurveyAnswered(
        survey=SURVEY,
        score=rating.score,
        owner="agent" if current.owner else "bot",
        agent=current.owner or "",
        comment_characters=len(rating.comment),
    )
    event = Event.of(
        current,
        answered,
        key=current.episode_id,
        ordinal=f":{SURVEY}",
        actor="customer",
        occurred_at=now,
    )
    write_events(connection, [event])
    return True


async def take_rating(request: web.Request) -> web.Response:
    """Answer 200 `{score, duplicate}` once it is stored."""
    check_own_origin(request)
    opened = await authenticate(request)
    app, now = request.app, time.time()
    rating = read(receive.read_object(await read_body(request), app[SETTINGS]))
    await throttle.spend(app[REDIS], (throttle.MESSAGES_PER_SESSION, opened.conversation), now=now)
    fresh = await app[DATABASE].run(lambda c: keep(c, opened.conversation, rating, now=now))
    if fresh:
        await announce(app[REDIS], opened.conversation, "message")
    return web.json_response({"score": rating.score, "duplicate": not fresh}, headers=NO_STORE)
