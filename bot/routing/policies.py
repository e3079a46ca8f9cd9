"""Service levels in SQL: what is promised to whom, and the clocks that measure it."""

from __future__ import annotations

import secrets
import time
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from bot.errors import BadRequest
from bot.routing import teams
from bot.routing.sla import Clock, Policy, Standing
from bot.routing.tables import sla_clocks, sla_policies
from bot.stores.database import insert_ignore
from bot.stores.set_aside import SetAside

SHORTEST_S = 30
LONGEST_S = 90 * 86400
MOST_PRIORITY = 3
OPEN = (Standing.RUNNING, Standing.WARNED, Standing.BREACHED)
"""Standings of a clock that still runs."""
CHUNK = 400


@dataclass(frozen=True)
class Kept:
    """A row of `sla_clocks`."""

    conversation: str
    clock: Clock
    started_at: float
    episode_id: str
    policy: str
    team: str
    agent: str
    """Who had the conversation when it last changed; empty while it waited."""
    warn_at: float
    due_at: float
    state: Standing
    ended_at: float | None = None

    @property
    def key(self) -> tuple[str, Clock, float]:
        return (self.conversation, self.clock, self.started_at)


def list_policies(connection: Connection) -> list[Policy]:
    """All policies, by name."""
    rows = connection.execute(sa.select(sla_policies).order_by(sla_policies.c.name)).mappings()
    names = Policy.__dataclass_fields__
    return [Policy(**{name: row[name] for name in names}) for row in rows]


def save_policy(connection: Connection, policy: Policy) -> Policy:
    """Store a policy; one without an id is new.

    Raises:
        BadRequest: It has no name, the name is taken, it promises nothing, a time or priority is
            out of range, or the team is not there.
    """
    name = " ".join(policy.name.split())[:64]
    if not name:
        raise BadRequest("bad-name", "Give the policy a name.")
    taken = sa.select(sla_policies.c.id).where(sa.func.lower(sla_policies.c.name) == name.lower())
    if connection.execute(taken.where(sla_policies.c.id != policy.id)).first():
        raise BadRequest("name-taken", f"There is one named {name} already.", status=409)
    times = [seconds for clock in Clock if (seconds := policy.allowed(clock)) is not None]
    if not times:
        raise BadRequest("empty-policy", "Promise at least one of the three times.")
    if any(not SHORTEST_S <= seconds <= LONGEST_S for seconds in times):
        raise BadRequest("bad-time-allowed", "A time is half a minute to 90 days.")
    if not 0 <= policy.least_priority <= MOST_PRIORITY:
        raise BadRequest("bad-priority", f"A priority is 0 to {MOST_PRIORITY}.")
    if policy.team:
        teams.get_team(connection, policy.team)
    saved = replace(policy, id=policy.id or f"p{secrets.token_hex(6)}", name=name)
    row = asdict(saved)
    if not insert_ignore(connection, sla_policies, [{**row, "created_at": time.time()}]):
        connection.execute(
            sa.update(sla_policies).where(sla_policies.c.id == saved.id).values(**row)
        )
    return saved


def remove_policy(connection: Connection, policy_id: str) -> None:
    """Take a policy away; its clocks that run end without a verdict."""
    connection.execute(sa.delete(sla_policies).where(sla_policies.c.id == policy_id))


def open_clocks(connection: Connection, aside: SetAside) -> list[Kept]:
    """Clocks that run; a conversation with one that cannot be read is set aside."""
    rows = connection.execute(
        sa.select(sla_clocks).where(sla_clocks.c.state.in_([s.value for s in OPEN]))
    ).mappings()
    kept = []
    for row in rows:
        if row["conversation"] not in aside:
            try:
                kept.append(_kept(row))
            except (ValueError, TypeError) as error:
                aside.put(row["conversation"], error)
    return kept


def write_clocks(connection: Connection, clocks: Sequence[Kept]) -> None:
    """Insert or overwrite."""
    rows = [asdict(kept) for kept in clocks]
    if not rows or insert_ignore(connection, sla_clocks, rows) == len(rows):
        return
    c = sla_clocks.c
    keys = (c.conversation, c.clock, c.started_at)
    connection.execute(
        sa.update(sla_clocks).where(*(key == sa.bindparam(f"k_{key.name}") for key in keys)),
        [{**row, **{f"k_{key.name}": row[key.name] for key in keys}} for row in rows],
    )


def badges(connection: Connection, conversations: Sequence[str]) -> dict[str, Kept]:
    """Of each conversation the clock that is due first, of those that run."""
    found: dict[str, Kept] = {}
    c = sla_clocks.c
    for start in range(0, len(conversations), CHUNK):
        rows = connection.execute(
            sa.select(sla_clocks)
            .where(
                c.conversation.in_(list(conversations[start : start + CHUNK])),
                c.state.in_([s.value for s in OPEN]),
            )
            .order_by(c.due_at.desc())
        ).mappings()
        found.update((row["conversation"], _kept(row)) for row in rows)
    return found


def breaches(
    connection: Connection, since: float, scope: Collection[str] | None = None, limit: int = 200
) -> list[Kept]:
    """Clocks that ran out since a moment, latest first.

    Args:
        scope: Ids of the teams to look at; None for all.
    """
    c = sla_clocks.c
    query = sa.select(sla_clocks).where(
        c.state.in_([Standing.BREACHED.value, Standing.LATE.value]), c.due_at >= since
    )
    if scope is not None:
        query = query.where(c.team.in_(sorted(scope)))
    rows = connection.execute(query.order_by(c.due_at.desc()).limit(limit)).mappings()
    return [_kept(row) for row in rows]


def overdue(connection: Connection) -> int:
    """Conversations with a clock that is broken and still runs, since whenever."""
    c = sla_clocks.c
    query = sa.select(sa.func.count(c.conversation.distinct()))
    return connection.execute(query.where(c.state == Standing.BREACHED.value)).scalar_one()


def _kept(row: sa.RowMapping) -> Kept:
    values = dict(row)
    return Kept(**{**values, "clock": Clock(row["clock"]), "state": Standing(row["state"])})
