"""Service levels in SQL: their policies, and the clocks that measure them."""

from __future__ import annotations

import secrets
import time
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from bot.errors import BadRequest
from bot.routing import teams
from bot.routing.sla import Clock, ClockState, SlaPolicy
from bot.routing.tables import sla_clocks, sla_policies
from bot.stores.database import insert_ignore
from bot.stores.set_aside import SetAside

SHORTEST_S = 30
LONGEST_S = 90 * 86400
MOST_PRIORITY = 3
OPEN = (ClockState.RUNNING, ClockState.WARNED, ClockState.BREACHED)
"""States of a clock that still runs."""
CHUNK = 400


@dataclass(frozen=True)
class StoredClock:
    """Row of `sla_clocks`."""

    conversation: str
    clock: Clock
    started_at: float
    episode_id: str
    policy: str
    team: str
    agent: str
    """Agent who had the conversation at the last change; empty while it waited."""
    warn_at: float
    due_at: float
    state: ClockState
    ended_at: float | None = None

    @property
    def key(self) -> tuple[str, Clock, float]:
        return (self.conversation, self.clock, self.started_at)


def list_policies(connection: Connection) -> list[SlaPolicy]:
    """List all policies, by name."""
    rows = connection.execute(sa.select(sla_policies).order_by(sla_policies.c.name)).mappings()
    names = SlaPolicy.__dataclass_fields__
    return [SlaPolicy(**{name: row[name] for name in names}) for row in rows]


def save_policy(connection: Connection, policy: SlaPolicy) -> SlaPolicy:
    """Store a policy; one without an id is new.

    Raises:
        BadRequest: It has no name, the name is taken, it has no time, a time or priority is out
            of range, or the team does not exist.
    """
    name = " ".join(policy.name.split())[:64]
    if not name:
        raise BadRequest("bad-name", "Give the policy a name.")
    same_name = sa.select(sla_policies.c.id).where(
        sa.func.lower(sla_policies.c.name) == name.lower()
    )
    if connection.execute(same_name.where(sla_policies.c.id != policy.id)).first():
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
    """Delete a policy; its running clocks end as void."""
    connection.execute(sa.delete(sla_policies).where(sla_policies.c.id == policy_id))


def open_clocks(connection: Connection, aside: SetAside) -> list[StoredClock]:
    """Read the running clocks; conversations with an unreadable one are set aside."""
    rows = connection.execute(
        sa.select(sla_clocks).where(sla_clocks.c.state.in_([s.value for s in OPEN]))
    ).mappings()
    clocks = []
    for row in rows:
        if row["conversation"] not in aside:
            try:
                clocks.append(_clock(row))
            except (ValueError, TypeError) as error:
                aside.put(row["conversation"], error)
    return clocks


def write_clocks(connection: Connection, clocks: Sequence[StoredClock]) -> None:
    """Insert clocks, or overwrite those that exist."""
    rows = [asdict(clock) for clock in clocks]
    if not rows or insert_ignore(connection, sla_clocks, rows) == len(rows):
        return
    c = sla_clocks.c
    keys = (c.conversation, c.clock, c.started_at)
    connection.execute(
        sa.update(sla_clocks).where(*(key == sa.bindparam(f"k_{key.name}") for key in keys)),
        [{**row, **{f"k_{key.name}": row[key.name] for key in keys}} for row in rows],
    )


def badges(connection: Connection, conversations: Sequence[str]) -> dict[str, StoredClock]:
    """Return each conversation's running clock that is due first."""
    clocks: dict[str, StoredClock] = {}
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
        clocks.update((row["conversation"], _clock(row)) for row in rows)
    return clocks


def breaches(
    connection: Connection, since: float, scope: Collection[str] | None = None, limit: int = 200
) -> list[StoredClock]:
    """List clocks that were breached since a moment, latest first.

    Args:
        scope: Ids of the teams to include; None for all.
    """
    c = sla_clocks.c
    query = sa.select(sla_clocks).where(
        c.state.in_([ClockState.BREACHED.value, ClockState.LATE.value]), c.due_at >= since
    )
    if scope is not None:
        query = query.where(c.team.in_(sorted(scope)))
    rows = connection.execute(query.order_by(c.due_at.desc()).limit(limit)).mappings()
    return [_clock(row) for row in rows]


def overdue(connection: Connection) -> int:
    """Count conversations with a breached clock that still runs."""
    c = sla_clocks.c
    query = sa.select(sa.func.count(c.conversation.distinct()))
    return connection.execute(query.where(c.state == ClockState.BREACHED.value)).scalar_one()


def _clock(row: sa.RowMapping) -> StoredClock:
    values = dict(row)
    return StoredClock(
        **{**values, "clock": Clock(row["clock"]), "state": ClockState(row["state"])}
    )
