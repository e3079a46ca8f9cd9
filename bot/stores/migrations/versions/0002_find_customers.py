"""Find a customer by the name their channel gives them; on PostgreSQL, index texts for search.

The trigram extension (pg_trgm) comes with every PostgreSQL and anybody who may create tables may
switch it on. Where it is missing, search reads the texts; slower, the same finds.
https://www.postgresql.org/docs/current/pgtrgm.html
"""

from __future__ import annotations

import sqlalchemy as sa
import structlog
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

log = structlog.get_logger()

TEXTS = {"messages": "text", "desk_notes": "text", "customers": "name"}


def upgrade() -> None:
    op.create_index(
        "ix_conversations_vendor_user", "conversations", ["vendor_user", "channel"], unique=False
    )
    connection = op.get_bind()
    if connection.dialect.name == "postgresql" and _has_trigrams(connection):
        for table, column in TEXTS.items():
            connection.exec_driver_sql(
                f"CREATE INDEX IF NOT EXISTS ix_trigrams_{table} ON {table}"
                f" USING gin ({column} gin_trgm_ops)"
            )


def downgrade() -> None:
    """Drop the indexes; the extension stays, others may use it."""
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        for table in TEXTS:
            connection.exec_driver_sql(f"DROP INDEX IF EXISTS ix_trigrams_{table}")
    op.drop_index("ix_conversations_vendor_user", table_name="conversations")


def _has_trigrams(connection: sa.Connection) -> bool:
    """Switch the extension on, if this database has it and lets us."""
    try:
        with connection.begin_nested():
            connection.exec_driver_sql("CREATE EXTENSION IF NOT EXISTS pg_trgm")
    except sa.exc.DBAPIError as error:
        log.warning("search.without_index", reason=str(error.orig).strip())
        return False
    return True
