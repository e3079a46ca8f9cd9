"""Sizes of the inbox's views, counted once for all users."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from bot.conversation.states import State
from bot.desk.lists.filters import OPEN_STATES, View
from bot.desk.people.scope import EVERYTHING, Scope, read_by
from bot.desk.tables import mentions
from bot.stores.tables import conversations


@dataclass(frozen=True)
class Counts:
    """Sizes of the views, for all users."""

    waiting: Mapping[str, int]
    """Team → waiting conversations; those of no team under ""."""
    open: Mapping[str, int]
    """Team → open conversations, likewise."""
    owned: Mapping[str, Mapping[str, int]]
    """User id → team → open conversations they have."""
    mine: Mapping[str, int]
    """User id → assigned conversations."""
    snoozed: Mapping[str, int]
    """User id → snoozed conversations."""
    mentions: Mapping[str, Mapping[tuple[str, str], int]] = field(default_factory=dict)
    """User id → (team, owner) → conversations with a mention they have not seen."""

    def of(self, user_id: str, scope: Scope = EVERYTHING) -> dict[str, int]:
        """Sizes for one user; costs as much as there are teams, however many agents there are."""

        def seen(numbers: Mapping[str, int]) -> int:
            return sum(n for team, n in numbers.items() if scope.sees(team or None, None))

        own = self.owned.get(user_id, {})
        elsewhere = sum(n for team, n in own.items() if not scope.sees(team or None, None))
        named = self.mentions.get(user_id, {})
        return {
            View.MINE.value: self.mine.get(user_id, 0),
            View.WAITING.value: seen(self.waiting),
            View.OPEN.value: seen(self.open) + elsewhere,
            View.MENTIONS.value: sum(
                n for (team, owner), n in named.items() if scope.sees(team or None, owner or None)
            ),
            View.SNOOZED.value: self.snoozed.get(user_id, 0),
        }


def count_open(connection: Connection) -> Counts:
    """Count open conversations by state, team and owner."""
    c = conversations.c
    rows = connection.execute(
        sa.select(c.state, c.owner, c.team, sa.func.count())
        .where(c.state.in_([state.value for state in OPEN_STATES]))
        .group_by(c.state, c.owner, c.team)
    ).all()
    by_owner: dict[State, Counter[str]] = {State.ASSIGNED: Counter(), State.SNOOZED: Counter()}
    waiting: Counter[str] = Counter()
    total: Counter[str] = Counter()
    owned: dict[str, Counter[str]] = {}
    for state, owner, team, number in rows:
        total[team or ""] += number
        if owner:
            owned.setdefault(owner, Counter())[team or ""] += number
        if state == State.WAITING:
            waiting[team or ""] += number
        if State(state) in by_owner and owner:
            by_owner[State(state)][owner] += number
    m = mentions.c
    unseen: dict[str, dict[tuple[str, str], int]] = {}
    for user_id, team, owner, number in connection.execute(
        sa.select(m.user_id, c.team, c.owner, sa.func.count(m.conversation.distinct()))
        .join(conversations, c.id == m.conversation)
        .where(m.seen_at.is_(None), read_by(m.user_id, m.conversation, m.created_at))
        .group_by(m.user_id, c.team, c.owner)
    ):
        unseen.setdefault(user_id, {})[team or "", owner or ""] = number
    mine, snoozed = by_owner[State.ASSIGNED], by_owner[State.SNOOZED]
    return Counts(waiting, total, owned, mine, snoozed, unseen)
