"""`bot.language.normalise.fold` as a function of PostgreSQL, so that its index folds like ours on
SQLite.

PostgreSQL's `unaccent` is missing from many installations and knows Latin letters only. Revision
0016 makes the function, 0011 its indexes; where they could not, search compares the texts as
written. A change of `fold` needs a revision that makes the function and its indexes anew.
"""

from __future__ import annotations

from sqlalchemy.engine import Connection

FUNCTION = "samvad_fold"


def available(connection: Connection) -> bool:
    """Whether this database folds."""
    if connection.dialect.name != "postgresql":
        return False
    function = connection.exec_driver_sql(f"SELECT to_regprocedure('{FUNCTION}(text)')")
    return function.scalar() is not None
