"""SQL tables that only the desk uses; in the common metadata, so migrations include them."""

from __future__ import annotations

import sqlalchemy as sa

from bot.stores.tables import METADATA

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

second_factors = sa.Table(
    # The secret is not stored: it follows from the salt and this installation's own secret.
    "desk_second_factors",
    METADATA,
    sa.Column("user_id", sa.String(64), primary_key=True),
    sa.Column("salt", sa.String(64), nullable=False),
    sa.Column("begun_at", sa.Float, nullable=False),
    # Null until a first code has shown that the app has the secret.
    sa.Column("on_since", sa.Float),
    # The last time step whose code was taken.
    sa.Column("last_step", sa.BigInteger, nullable=False, server_default="0"),
)

recovery_codes = sa.Table(
    "desk_recovery_codes",
    METADATA,
    sa.Column("user_id", sa.String(64), primary_key=True),
    sa.Column("digest", sa.String(64), primary_key=True),
    sa.Column("used_at", sa.Float),
)

mentions = sa.Table(
    "desk_mentions",
    METADATA,
    sa.Column("note", sa.String(64), primary_key=True),
    sa.Column("user_id", sa.String(64), primary_key=True),
    sa.Column("conversation", sa.String(64), nullable=False, index=True),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("seen_at", sa.Float),
    sa.Index("ix_desk_mentions_user", "user_id", "created_at"),
)

filters = sa.Table(
    "desk_filters",
    METADATA,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("user_id", sa.String(64), nullable=False),
    sa.Column("name", sa.String(40), nullable=False),
    sa.Column("query", sa.JSON, nullable=False),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.UniqueConstraint("user_id", "name", name="uq_desk_filters_name"),
)

translations = sa.Table(
    "desk_translations",
    METADATA,
    sa.Column("message", sa.String(128), primary_key=True),
    sa.Column("language", sa.String(16), primary_key=True),
    sa.Column("conversation", sa.String(64), nullable=False, index=True),
    sa.Column("source", sa.String(16), nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("provider", sa.String(32), nullable=False),
    sa.Column("created_at", sa.Float, nullable=False),
)

macros = sa.Table(
    "desk_macros",
    METADATA,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("name", sa.String(60), nullable=False, unique=True),
    sa.Column("steps", sa.JSON, nullable=False),
    sa.Column("updated_at", sa.Float, nullable=False),
)

merges = sa.Table(
    "desk_merges",
    METADATA,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("user_id", sa.String(64), nullable=False),
    sa.Column("kept", sa.String(64), nullable=False, index=True),
    sa.Column("joined", sa.String(64), nullable=False, index=True),
    sa.Column("conversations", sa.JSON, nullable=False),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("undone_at", sa.Float),
)
