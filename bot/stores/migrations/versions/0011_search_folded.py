"""On PostgreSQL, fold texts for search as on SQLite, and index them folded.

The function does in SQL what `fold` of the code of that day did: case, accents, Arabic letter forms
and invisible characters do not count. Where it cannot be made, because the database is not UTF-8 or
does not allow it, search compares the texts as written.
"""

from __future__ import annotations

import sqlalchemy as sa
import structlog
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

log = structlog.get_logger()

TEXTS = {"messages": "text", "desk_notes": "text", "customers": "name"}
DROPPED = "".join(
    chr(code)
    for code in (
        0x00AD,
        *range(0x0300, 0x0370),  # accents of Latin, Greek, Cyrillic
        0x0640,  # Arabic lengthening stroke
        *range(0x064B, 0x0653),  # Arabic vowel signs
        0x0670,  # Arabic superscript alef
        0x093C,  # Devanagari dot (nukta)
        *range(0x200B, 0x2010),
        *range(0x202A, 0x202F),
        *range(0x2066, 0x206A),
        0xFEFF,
    )
)
SAME = {
    "أ": "ا",
    "إ": "ا",
    "آ": "ا",
    "ٱ": "ا",
    "ى": "ي",
    "ة": "ه",
    "ؤ": "و",
    "ئ": "ي",
    "ی": "ي",
    "ک": "ك",
    "ø": "o",
    "đ": "d",
    "ł": "l",
    "ı": "i",
    "ς": "σ",  # what casefolding does beyond lower case, and so does ß below
}


def upgrade() -> None:
    connection = op.get_bind()
    if connection.dialect.name != "postgresql" or not _folds(connection):
        return
    if _has_trigrams(connection):
        _index("ix_trigrams_folded_{table}", "samvad_fold({column})")
    for table in TEXTS:
        connection.exec_driver_sql(f"DROP INDEX IF EXISTS ix_trigrams_{table}")


def downgrade() -> None:
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        return
    for table in TEXTS:
        connection.exec_driver_sql(f"DROP INDEX IF EXISTS ix_trigrams_folded_{table}")
    connection.exec_driver_sql("DROP FUNCTION IF EXISTS samvad_fold(text)")
    if _has_trigrams(connection):
        _index("ix_trigrams_{table}", "{column}")


def _folds(connection: sa.Connection) -> bool:
    """Make the function, if this database can have it."""
    try:
        with connection.begin_nested():
            connection.execute(sa.text(_definition()))
            # Fails in a database whose encoding cannot be normalised.
            connection.exec_driver_sql("SELECT samvad_fold('é')")
    except sa.exc.DBAPIError as error:
        log.warning("search.unfolded", reason=str(error.orig).strip())
        return False
    return True


def _has_trigrams(connection: sa.Connection) -> bool:
    found = connection.exec_driver_sql("SELECT 1 FROM pg_extension WHERE extname = 'pg_trgm'")
    return found.first() is not None


def _index(name: str, expression: str) -> None:
    for table, column in TEXTS.items():
        op.get_bind().exec_driver_sql(
            f"CREATE INDEX IF NOT EXISTS {name.format(table=table)} ON {table}"
            f" USING gin ({expression.format(column=column)} gin_trgm_ops)"
        )


def _definition() -> str:
    steps = "replace(lower(normalize(t, NFKC)), 'ß', 'ss')"
    steps = f"translate({steps}, '{''.join(SAME)}{DROPPED}', '{''.join(SAME.values())}')"
    steps = f"translate(normalize({steps}, NFD), '{DROPPED}', '')"
    return (
        "CREATE OR REPLACE FUNCTION samvad_fold(t text) RETURNS text LANGUAGE sql"
        f" IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT normalize({steps}, NFC) $$"
    )
