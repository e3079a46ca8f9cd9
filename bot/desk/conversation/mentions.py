"""Colleagues named in private notes: `@login` brings the conversation into their list."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from bot.desk.people import scope
from bot.desk.people.users import DISABLED, User
from bot.desk.tables import mentions
from bot.routing import teams
from bot.stores.database import insert_ignore
from bot.stores.tables import conversations, users

MOST = 20
"""People one note may call."""
_WORKING = sa.not_(users.c.password_hash.startswith(DISABLED, autoescape=True))
_MENTION = re.compile(r"(?<![\w@.+-])@([a-z0-9][a-z0-9._@+-]{0,63})", re.IGNORECASE)


def people(connection: Connection) -> list[tuple[str, str]]:
    """Login and name of everybody who works here, by login."""
    rows = connection.execute(
        sa.select(users.c.login, users.c.name).where(_WORKING).order_by(users.c.login)
    )
    return [(row.login, row.name) for row in rows]


def offered(connection: Connection, user: User, conversation: str) -> list[tuple[str, str]]:
    """Login and name of those a note of this user may call, by login.

    Args:
        conversation: Those who may see it; without one, who shares a team with the user (or, like
            them, is in none), and supervisors. Supervisors are offered everybody then.
    """
    rows = connection.execute(sa.select(users).where(_WORKING).order_by(users.c.login)).mappings()
    found, memberships = [User.from_row(row) for row in rows], teams.members(connection)
    if conversation:
        reached = set(_who_see(connection, conversation, [one.id for one in found]))
    else:
        own = memberships.get(user.id, frozenset())
        reached = {
            one.id
            for one in found
            if user.supervises
            or one.supervises
            or own & memberships.get(one.id, frozenset())
            or not own | memberships.get(one.id, frozenset())
        }
    return [(one.login, one.name) for one in found if one.id in reached]


def agents(connection: Connection) -> list[tuple[str, str]]:
    """Id and name of everybody who can work, by name."""
    rows = connection.execute(
        sa.select(users.c.id, users.c.name).where(_WORKING).order_by(users.c.name, users.c.login)
    )
    return [(row.id, row.name) for row in rows]


def named(connection: Connection, text: str) -> dict[str, str]:
    """User ids of those a note names, by login as it is spelled in the users' list."""
    words = {login for written in _MENTION.findall(text) for login in _spellings(written)}
    if not words:
        return {}
    rows = connection.execute(
        sa.select(users.c.login, users.c.id).where(users.c.login.in_(sorted(words)))
    )
    user_ids = {row.login: row.id for row in rows}
    chosen: dict[str, str] = {}
    for written in _MENTION.findall(text):
        login = next((word for word in _spellings(written) if word in user_ids), None)
        if login and len(chosen) < MOST:
            chosen[login] = user_ids[login]
    return chosen


def add(connection: Connection, conversation: str, note: str, author: str, text: str) -> list[str]:
    """Call those a note names; return their user ids, each once per note.

    Its author is left out, and so is who may not see the conversation.
    """
    others = [user_id for user_id in named(connection, text).values() if user_id != author]
    called = _who_see(connection, conversation, others)
    now = time.time()
    rows = [
        {
            "note": note,
            "user_id": user_id,
            "conversation": conversation,
            "created_at": now,
            "seen_at": None,
        }
        for user_id in called
    ]
    insert_ignore(connection, mentions, rows)
    return called


def mark_seen(connection: Connection, user_id: str, conversation: str) -> int:
    """Note that a user has opened a conversation that calls them; return how many were new."""
    m = mentions.c
    done = connection.execute(
        sa.update(mentions)
        .where(m.user_id == user_id, m.conversation == conversation, m.seen_at.is_(None))
        .values(seen_at=time.time())
    )
    return done.rowcount


def parts(text: str, logins: Mapping[str, str]) -> list[tuple[str, str]]:
    """Cut a note at its mentions: (text, "") for words, (`@login`, name) for a colleague.

    Args:
        logins: Login → display name of all users.
    """
    made: list[tuple[str, str]] = []
    at = 0
    for hit in _MENTION.finditer(text):
        login = next((word for word in _spellings(hit[1]) if word in logins), None)
        if login is None:
            continue
        end = hit.start() + 1 + len(login)
        made += [(text[at : hit.start()], ""), (text[hit.start() : end], logins[login])]
        at = end
    made.append((text[at:], ""))
    return [part for part in made if part[0]]


def _who_see(connection: Connection, conversation: str, user_ids: list[str]) -> list[str]:
    """Those of these users who may see a conversation."""
    c, u = conversations.c, users.c
    whose = connection.execute(sa.select(c.team, c.owner).where(c.id == conversation)).first()
    if whose is None or not user_ids:
        return []
    rows = connection.execute(sa.select(users).where(u.id.in_(user_ids))).mappings()
    found, memberships = [User.from_row(row) for row in rows], teams.members(connection)
    seeing = {
        user.id for user in found if scope.among(user, memberships).sees(whose.team, whose.owner)
    }
    return [user_id for user_id in user_ids if user_id in seeing]


def _spellings(written: str) -> list[str]:
    """A login may end a sentence: `@asha.` is Asha, unless there is an `asha.`."""
    word, spellings = written.lower(), []
    while word:
        spellings.append(word)
        if word[-1] not in "._@+-":
            break
        word = word[:-1]
    return spellings
