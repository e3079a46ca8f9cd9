"""Bring a database to the newest schema (Alembic; revisions in bot/migrations)."""

from __future__ import annotations

import logging
from pathlib import Path

from alembic import command
from alembic.config import Config

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
