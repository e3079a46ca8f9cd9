"""Tables only the desk uses; on the same metadata as the rest, so migrations see them."""

from __future__ import annotations

import sqlalchemy as sa

from bot.tables import METADATA

notes = sa.Table(
    "desk_notes",
    METADATA,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("conversation", sa.String(64), nullable=False),
    sa.Column("user_id", sa.String(64), nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Index("ix_desk_notes_conversation", "conversation", "created_at"),
)

labels = sa.Table(
    "desk_labels",
    METADATA,
    sa.Column("conversation", sa.String(64), primary_key=True),
    sa.Column("label", sa.String(40), primary_key=True),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Index("ix_desk_labels_label", "label"),
)

reads = sa.Table(
    "desk_reads",
    METADATA,
    sa.Column("user_id", sa.String(64), primary_key=True),
    sa.Column("conversation", sa.String(64), primary_key=True),
    sa.Column("read_at", sa.Float, nullable=False),
)

snoozes = sa.Table(
    "desk_snoozes",
    METADATA,
    sa.Column("conversation", sa.String(64), primary_key=True),
    sa.Column("user_id", sa.String(64), nullable=False),
    sa.Column("until", sa.Float, nullable=False, index=True),
    sa.Column("created_at", sa.Float, nullable=False),
)

canned = sa.Table(
    "desk_canned",
    METADATA,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("shortcut", sa.String(40), nullable=False, unique=True),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("updated_at", sa.Float, nullable=False),
)

audit = sa.Table(
    "desk_audit",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("at", sa.Float, nullable=False, index=True),
    sa.Column("user_id", sa.String(64), nullable=False),
    sa.Column("action", sa.String(48), nullable=False),
    sa.Column("subject", sa.String(128), nullable=False),
    sa.Column("detail", sa.JSON),
)
