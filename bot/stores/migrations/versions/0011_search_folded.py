"""On PostgreSQL, fold texts for search as on SQLite, and index them folded."""

from __future__ import annotations

from alembic import op

from bot.desk.search import folded_search, trigrams

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    connection = op.get_bind()
    folded_search.create(connection)
    if folded_search.available(connection):
        trigrams.drop(connection)


def downgrade() -> None:
    connection = op.get_bind()
    folded_search.drop(connection)
    trigrams.create(connection)
