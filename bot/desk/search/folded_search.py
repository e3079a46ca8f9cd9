"""`bot.desk.search.folding` as a function of PostgreSQL, so that its index folds like the one on
SQLite.

PostgreSQL's `unaccent` is missing from many installations and knows Latin letters only. Where the
function may not be created, or the database is not UTF-8, search compares the texts as written.
"""

from __future__ import annotations

import sqlalchemy as sa
import structlog
from sqlalchemy.engine import Connection

from bot.desk.search import trigrams
from bot.desk.search.folding import DROPPED, SAME

log = structlog.get_logger()

FUNCTION = "samvad_fold"
INDEX = f"{trigrams.PREFIX}folded_"


def create(connection: Connection) -> None:
    """Create the function and, where there is the extension, indexes over what it returns."""
    if connection.dialect.name != "postgresql":
        return
    try:
        with connection.begin_nested():
            connection.execute(sa.text(_definition()))
            # Fails in a database whose encoding cannot be normalised.
            connection.exec_driver_sql(f"SELECT {FUNCTION}('é')")
    except sa.exc.DBAPIError as error:
        log.warning("search.unfolded", reason=str(error.orig).strip())
        return
    if not _has_extension(connection):
        return
    for table, column in trigrams.INDEXES.items():
        connection.exec_driver_sql(
            f"CREATE INDEX IF NOT EXISTS {INDEX}{table} ON {table}"
            f" USING gin ({FUNCTION}({column}) gin_trgm_ops)"
        )


def drop(connection: Connection) -> None:
    """Drop the indexes and the function."""
    if connection.dialect.name == "postgresql":
        for table in trigrams.INDEXES:
            connection.exec_driver_sql(f"DROP INDEX IF EXISTS {INDEX}{table}")
        connection.exec_driver_sql(f"DROP FUNCTION IF EXISTS {FUNCTION}(text)")


def available(connection: Connection) -> bool:
    """Whether this database folds."""
    if connection.dialect.name != "postgresql":
        return False
    found = connection.exec_driver_sql(f"SELECT to_regprocedure('{FUNCTION}(text)')")
    return found.scalar() is not None


def _has_extension(connection: Connection) -> bool:
    query = sa.text("SELECT 1 FROM pg_extension WHERE extname = :name")
    return connection.execute(query, {"name": trigrams.EXTENSION}).first() is not None


def _definition() -> str:
    """The steps of `folding.fold`, in its order; letters without a partner are left out."""
    one = {letter: plain for letter, plain in SAME.items() if len(plain) == 1}
    # What casefolding does beyond lower case.
    one["ς"] = "σ"
    dropped = "".join(chr(code) for code in sorted(DROPPED))
    source, target = "".join(one) + dropped, "".join(one.values())
    steps = "lower(normalize(t, NFKC))"
    for letter, plain in SAME.items():
        if len(plain) > 1:
            steps = f"replace({steps}, '{letter}', '{plain}')"
    steps = f"translate({steps}, '{source}', '{target}')"
    steps = f"translate(normalize({steps}, NFD), '{dropped}', '')"
    return (
        f"CREATE OR REPLACE FUNCTION {FUNCTION}(t text) RETURNS text LANGUAGE sql"
        f" IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT normalize({steps}, NFC) $$"
    )
