"""What agents do with conversations: blocked customers, mentions, filters, translations, macros."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "conversations",
        sa.Column("blocked", sa.Boolean(), server_default=sa.false(), nullable=False),
    )
    op.create_table(
        "desk_mentions",
        sa.Column("note", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("conversation", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("seen_at", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("note", "user_id"),
    )
    op.create_index("ix_desk_mentions_conversation", "desk_mentions", ["conversation"])
    op.create_index("ix_desk_mentions_user", "desk_mentions", ["user_id", "created_at"])
    op.create_table(
        "desk_filters",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("query", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("user_id", "name", name="uq_desk_filters_name"),
    )
    op.create_table(
        "desk_translations",
        sa.Column("message", sa.String(length=128), nullable=False),
        sa.Column("language", sa.String(length=16), nullable=False),
        sa.Column("conversation", sa.String(length=64), nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("provider", sa.String(length=32), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("message", "language"),
    )
    op.create_index("ix_desk_translations_conversation", "desk_translations", ["conversation"])
    op.create_table(
        "desk_macros",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("steps", sa.JSON(), nullable=False),
        sa.Column("updated_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
    )
    op.create_table(
        "desk_merges",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("kept", sa.String(length=64), nullable=False),
        sa.Column("joined", sa.String(length=64), nullable=False),
        sa.Column("conversations", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("undone_at", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_desk_merges_kept", "desk_merges", ["kept"])
    op.create_index("ix_desk_merges_joined", "desk_merges", ["joined"])


def downgrade() -> None:
    for table in (
        "desk_merges",
        "desk_macros",
        "desk_translations",
        "desk_filters",
        "desk_mentions",
    ):
        op.drop_table(table)
    op.drop_column("conversations", "blocked")
