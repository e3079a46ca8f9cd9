"""SQL tables of teams, agents and service levels; docs/routing.md explains their fields."""

from __future__ import annotations

import sqlalchemy as sa

from bot.stores.tables import METADATA

teams = sa.Table(
    "teams",
    METADATA,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("name", sa.String(64), nullable=False, unique=True),
    sa.Column("everyone", sa.Boolean, nullable=False),
    sa.Column("languages", sa.JSON, nullable=False),
    sa.Column("topics", sa.JSON, nullable=False),
    sa.Column("zone", sa.String(64), nullable=False),
    sa.Column("hours", sa.JSON, nullable=False),
    sa.Column("overflow_after_s", sa.Integer, nullable=False),
    sa.Column("overflow_to", sa.JSON, nullable=False),
    sa.Column("created_at", sa.Float, nullable=False),
)

team_members = sa.Table(
    "team_members",
    METADATA,
    sa.Column("team_id", sa.String(64), primary_key=True),
    sa.Column("user_id", sa.String(64), primary_key=True),
    sa.Index("ix_team_members_user", "user_id"),
)

agents = sa.Table(
    "agents",
    METADATA,
    sa.Column("user_id", sa.String(64), primary_key=True),
    sa.Column("levels", sa.JSON, nullable=False),
    sa.Column("capacity", sa.Integer, nullable=False),
    sa.Column("presence", sa.String(16), nullable=False),
    sa.Column("routed_at", sa.Float, nullable=False),
)

sla_policies = sa.Table(
    "sla_policies",
    METADATA,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("name", sa.String(64), nullable=False, unique=True),
    sa.Column("team", sa.String(64), nullable=False),
    sa.Column("channel", sa.String(32), nullable=False),
    sa.Column("least_priority", sa.Integer, nullable=False),
    sa.Column("first_reply_s", sa.Integer),
    sa.Column("next_reply_s", sa.Integer),
    sa.Column("resolution_s", sa.Integer),
    sa.Column("business_hours", sa.Boolean, nullable=False),
    sa.Column("created_at", sa.Float, nullable=False),
)

sla_clocks = sa.Table(
    "sla_clocks",
    METADATA,
    sa.Column("conversation", sa.String(64), primary_key=True),
    sa.Column("clock", sa.String(16), primary_key=True),
    sa.Column("started_at", sa.Float, primary_key=True),
    sa.Column("episode_id", sa.String(96), nullable=False),
    sa.Column("policy", sa.String(64), nullable=False),
    sa.Column("team", sa.String(64), nullable=False),
    sa.Column("agent", sa.String(64), nullable=False),
    sa.Column("warn_at", sa.Float, nullable=False),
    sa.Column("due_at", sa.Float, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("ended_at", sa.Float),
    sa.Index("ix_sla_clocks_state", "state", "due_at"),
)
