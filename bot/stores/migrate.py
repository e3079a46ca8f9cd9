"""Bring a database to the newest schema (Alembic; revisions in bot/stores/migrations)."""

from __future__ import annotations

import logging
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Connection

FOLDER = Path(__file__).parent / "migrations"


def config(url: str) -> Config:
    """Alembic's configuration for a database URL."""
    made = Config()
    made.set_main_option("script_location", str(FOLDER))
    made.attributes["url"] = url
    return made


def upgrade(url: str, revision: str = "head") -> None:
    """Apply every revision up to `revision`; nothing happens when it is there already."""
    logging.getLogger("alembic").setLevel(logging.WARNING)
    command.upgrade(config(url), revision)


def downgrade(url: str, revision: str) -> None:
    """Undo revisions down to `revision` (`base` for none)."""
    command.downgrade(config(url), revision)


def newest() -> str:
    """Return the revision the code expects."""
    return str(ScriptDirectory.from_config(config("")).get_current_head())


def current(connection: Connection) -> str:
    """Return the revision a database is at; empty when it was never migrated."""
    return MigrationContext.configure(connection).get_current_revision() or ""


def known(revision: str) -> bool:
    """Tell whether this code has a revision, so that it can upgrade from there."""
    scripts = ScriptDirectory.from_config(config("")).walk_revisions()
    return revision in {script.revision for script in scripts}
