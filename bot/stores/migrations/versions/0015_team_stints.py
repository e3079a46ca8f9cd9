"""Remember which teams had a conversation, so that their words stay theirs afterwards.

What is known of the past is read from the events: an episode or a return to the bot begins a stint;
transfers and service levels name the team, else it is the teams of the agents who had it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_EVERYONE = "everyone"
_BEGINS = ("episode.started", "handoff.returned", "handoff.cancelled")
_TELLS = (
    "handoff.assigned",
    "handoff.transferred",
    "conversation.reopened",
    "sla.warned",
    "sla.breached",
)
_ROWS = 500


class _Stint:
    def __init__(self, episode_id: str, began_at: float) -> None:
        self.episode_id = episode_id
        self.began_at = began_at
        self.ended_at: float | None = None
        self.teams: set[str] = set()
        self.agents: set[str] = set()

    def hear(self, event: sa.RowMapping) -> None:
        data = event["data"] or {}
        if team := data.get("team"):
            self.teams.add(str(team))
        if event["type"] in {"handoff.assigned", "handoff.transferred"} and data.get("to"):
            self.agents.add(str(data["to"]))
        elif event["type"] in {"handoff.assigned", "conversation.reopened"}:
            self.agents.add(event["actor_id"])

    def whose(self, members: Mapping[str, set[str]]) -> set[str]:
        if self.teams:
            return self.teams
        return {team for agent in self.agents for team in members.get(agent, {_EVERYONE})}


def upgrade() -> None:
    made = op.create_table(
        "team_stints",
        sa.Column("conversation", sa.String(64), primary_key=True),
        sa.Column("stint", sa.Integer, primary_key=True),
        sa.Column("team", sa.String(64), primary_key=True),
        sa.Column("episode_id", sa.String(96), nullable=False),
        sa.Column("began_at", sa.Float, nullable=False),
        sa.Column("ended_at", sa.Float),
    )
    connection = op.get_bind()
    members: dict[str, set[str]] = {}
    for user, team in connection.execute(sa.text("SELECT user_id, team_id FROM team_members")):
        members.setdefault(user, set()).add(team)
    # Some at a time: all at once would be gigabytes where there are millions.
    for some in _some_at_a_time(connection):
        if rows := _past(connection, some, members):
            op.bulk_insert(made, rows)


def downgrade() -> None:
    op.drop_table("team_stints")


def _some_at_a_time(connection: sa.Connection) -> Iterator[Sequence[sa.Row[Any]]]:
    query = sa.text(
        "SELECT id, stint, team, episode_id, episode_started_at FROM conversations"
        " WHERE id > :last ORDER BY id LIMIT :most"
    )
    last = ""
    while some := connection.execute(query, {"last": last, "most": _ROWS}).all():
        yield some
        last = some[-1].id


def _past(
    connection: sa.Connection, some: Sequence[sa.Row[Any]], members: Mapping[str, set[str]]
) -> list[dict[str, Any]]:
    told = _stints(connection, [one.id for one in some])
    rows: list[dict[str, Any]] = []
    for one in some:
        stints = told.get(one.id) or []
        if not stints or stints[-1].episode_id != one.episode_id:
            # Its events were forgotten.
            if stints:
                stints[-1].ended_at = one.episode_started_at
            stints.append(_Stint(one.episode_id, one.episode_started_at))
        if one.team:
            stints[-1].teams.add(one.team)
        first = one.stint - len(stints) + 1
        rows += [
            {
                "conversation": one.id,
                "stint": number,
                "team": team,
                "episode_id": stint.episode_id,
                "began_at": stint.began_at,
                "ended_at": stint.ended_at,
            }
            for number, stint in enumerate(stints, first)
            for team in sorted(stint.whose(members))
        ]
    return rows


def _stints(connection: sa.Connection, ids: Sequence[str]) -> dict[str, list[_Stint]]:
    """Stints by conversation, oldest first, as the events tell of them."""
    events = sa.table(
        "events",
        *(sa.column(name) for name in ("conversation", "episode_id", "type", "actor_id")),
        sa.column("data", sa.JSON),
        sa.column("occurred_at"),
    )
    e = events.c
    query = sa.select(events).where(e.conversation.in_(ids), e.type.in_(_BEGINS + _TELLS))
    # What begins a stint comes before what happens in it at the same moment.
    order = (e.conversation, e.occurred_at, sa.case((e.type.in_(_BEGINS), 0), else_=1))
    rows = connection.execute(query.order_by(*order)).mappings()
    return {id_: _divide(group) for id_, group in groupby(rows, lambda row: row["conversation"])}


def _divide(events: Iterable[sa.RowMapping]) -> list[_Stint]:
    stints: list[_Stint] = []
    for event in events:
        if event["type"] in _BEGINS or not stints:
            if stints:
                stints[-1].ended_at = event["occurred_at"]
            stints.append(_Stint(event["episode_id"], event["occurred_at"]))
        if event["type"] in _TELLS:
            stints[-1].hear(event)
    return stints
