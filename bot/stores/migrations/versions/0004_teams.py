"""Teams, agents and service levels; where a conversation waits and what its customer was told."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_TABLES = ("sla_clocks", "sla_policies", "agents", "team_members", "teams")


def upgrade() -> None:
    with op.batch_alter_table("conversations") as conversations:
        conversations.add_column(sa.Column("team", sa.String(64)))
        conversations.add_column(sa.Column("topic", sa.String(64)))
        conversations.add_column(sa.Column("callback_at", sa.Float))
        conversations.add_column(sa.Column("late_told_at", sa.Float))
    op.create_table(
        "teams",
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
    op.create_table(
        "team_members",
        sa.Column("team_id", sa.String(64), primary_key=True),
        sa.Column("user_id", sa.String(64), primary_key=True),
    )
    op.create_index("ix_team_members_user", "team_members", ["user_id"])
    op.create_table(
        "agents",
        sa.Column("user_id", sa.String(64), primary_key=True),
        sa.Column("levels", sa.JSON, nullable=False),
        sa.Column("capacity", sa.Integer, nullable=False),
        sa.Column("presence", sa.String(16), nullable=False),
        sa.Column("routed_at", sa.Float, nullable=False),
    )
    op.create_table(
        "sla_policies",
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
    op.create_table(
        "sla_clocks",
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
    )
    op.create_index("ix_sla_clocks_state", "sla_clocks", ["state", "due_at"])


def downgrade() -> None:
    for table in _TABLES:
        op.drop_table(table)
    with op.batch_alter_table("conversations") as conversations:
        for column in ("late_told_at", "callback_at", "topic", "team"):
            conversations.drop_column(column)
