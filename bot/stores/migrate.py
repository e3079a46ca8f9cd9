"""Schema upgrades and downgrades (Alembic; revisions in bot/stores/migrations).

Revisions are history: they import nothing of today's code, so that no change of it can change what
they did. They run on a connection opened here, all in one transaction.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Connection

from bot.stores.database import Database, lock_for_transaction

FOLDER = Path(__file__).parent / "migrations"
LOCK = 5_366_321_001
"""Number of an advisory lock; any that nothing else uses in this database."""


def config() -> Config:
    """Return Alembic's configuration, which names the folder of revisions."""
    alembic_config = Config()
    alembic_config.set_main_option("script_location", str(FOLDER))
    return alembic_config


def upgrade(url: str, revision: str = "head") -> None:
    """Apply every revision up to `revision` that is not applied yet."""
    logging.getLogger("alembic").setLevel(logging.WARNING)
    _run(command.upgrade, url, revision)


def downgrade(url: str, revision: str) -> None:
    """Undo revisions down to `revision` (`base` for none)."""
    _run(command.downgrade, url, revision)


def newest() -> str:
    """Return the revision the code expects."""
    return str(ScriptDirectory.from_config(config()).get_current_head())


def current(connection: Connection) -> str:
    """Return the revision a database is at; empty when it was never migrated."""
    return MigrationContext.configure(connection).get_current_revision() or ""


def is_known(revision: str) -> bool:
    """Tell whether this code has a revision, so that it can upgrade from it."""
    scripts = ScriptDirectory.from_config(config()).walk_revisions()
    return revision in {script.revision for script in scripts}


def _run(step: Callable[[Config, str], None], url: str, revision: str) -> None:
    """Run an Alembic command in one transaction, with no other migration of this database.

    On PostgreSQL a lock in the database keeps two machines apart; on SQLite the transaction itself
    does, and the file lock of `bot.processes.prepare`.
    """
    database = Database(url)
    try:
        with database.engine.begin() as connection:
            lock_for_transaction(connection, LOCK)
            settings = config()
            settings.attributes["connection"] = connection
            step(settings, revision)
    finally:
        database.close()
