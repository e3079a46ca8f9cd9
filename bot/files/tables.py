"""The table of files; their bytes are in the `FileStore`. docs/storage.md says how long they stay.

A change here needs a migration (bot/stores/migrations).
"""

from __future__ import annotations

import sqlalchemy as sa

from bot.stores.tables import METADATA

files = sa.Table(
    "files",
    METADATA,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("conversation", sa.String(64), nullable=False, index=True),
    # Empty until a message names it; an upload that none ever names is deleted after a day.
    sa.Column("message", sa.String(96), nullable=False, default="", index=True),
    sa.Column("position", sa.Integer, nullable=False, default=0),
    sa.Column("author", sa.String(16), nullable=False),
    sa.Column("user_id", sa.String(64), nullable=False, default=""),
    sa.Column("kind", sa.String(8), nullable=False),
    sa.Column("name", sa.String(160), nullable=False),
    sa.Column("type", sa.String(128), nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False, default=0),
    sa.Column("sha256", sa.String(64), nullable=False, default=""),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("reason", sa.String(32), nullable=False, default=""),
    # Where the worker finds it; nothing once it is settled.
    sa.Column("source", sa.JSON),
    sa.Column("tries", sa.Integer, nullable=False, default=0),
    # Unix seconds before which no worker touches it: the next try, or a claim's end.
    sa.Column("due_at", sa.Float, nullable=False, default=0.0),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Index("ix_files_state", "state", "due_at"),
)
