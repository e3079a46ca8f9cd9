"""Audit log: users' actions that are no events of a conversation; never customer text."""

from __future__ import annotations

import time
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from bot.desk.tables import audit


def write(connection: Connection, user_id: str, action: str, subject: str, **detail: Any) -> None:
    """Add a line; `action` is `noun.past_verb`, such as `user.disabled`."""
    connection.execute(
        sa.insert(audit).values(
            at=time.time(),
            user_id=user_id,
            action=action,
            subject=subject[:128],
            detail=detail or None,
        )
    )


def latest(connection: Connection, limit: int = 50) -> list[dict[str, Any]]:
    rows = connection.execute(sa.select(audit).order_by(audit.c.id.desc()).limit(limit)).mappings()
    return [dict(row) for row in rows]
