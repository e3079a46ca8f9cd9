"""Forgetting: by time, uploads nobody sent, bytes without a row; nothing else."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from bot.files.store import FolderStore, store_of
from bot.housekeeping.files import DAY_S, FileRemover
from bot.settings import Settings
from bot.stores.database import Database, insert_ignore
from bot.stores.tables import files
from bot.streams import attachments
from bot.streams.attachments import Attachment


async def keep(
    settings: Settings, database: Database, id_: str, *, days: float, message: str = "m"
) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"content"

    store = store_of(settings)
    await store.put(id_, chunks(), 100, lambda head: None)
    at = time.time() - days * DAY_S
    row = attachments.row_of(
        Attachment(id_, "file", "a.txt"),
        conversation="c",
        author="customer",
        created_at=at,
        message=message,
    )
    await database.run(lambda c: insert_ignore(c, files, [row]))
    (path,) = settings.files_folder.glob(f"*/{id_}")
    os.utime(path, (at, at))


async def left(settings: Settings, database: Database) -> dict[str, str]:
    """State of the rows, and which bytes are there."""
    found = await database.read(lambda c: c.execute(files.select()).mappings().all())
    states = {row["id"]: row["state"] for row in found}
    there = {path.name for path in settings.files_folder.glob("*/*")}
    assert there == {id_ for id_, state in states.items() if state == "stored"}
    return states


async def test_uploads_nobody_sent_go_after_a_day(settings: Settings, database: Database) -> None:
    await keep(settings, database, "old", days=1.1, message="")
    await keep(settings, database, "new", days=0.9, message="")
    await keep(settings, database, "sent", days=400)
    remover = FileRemover(settings, database, store_of(settings))
    assert await remover.step(time.time()) == 1
    assert await left(settings, database) == {"new": "stored", "sent": "stored"}
    assert await remover.step(time.time()) == 0


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({"keep_files_days": 30}, {"old": "failed", "new": "stored"}),
        ({"keep_messages_days": 30}, {"new": "stored"}),
        ({"keep_messages_days": 30, "keep_files_days": 60}, {"new": "stored"}),
        ({}, {"old": "stored", "new": "stored"}),
    ],
)
async def test_files_go_when_their_time_is_over(
    settings: Settings, database: Database, limits: dict[str, int], expected: dict[str, Any]
) -> None:
    chosen = replace(settings, **limits)
    await keep(chosen, database, "old", days=31)
    await keep(chosen, database, "new", days=29)
    await FileRemover(chosen, database, store_of(chosen)).step(time.time())
    assert await left(chosen, database) == expected


async def test_bytes_without_a_row_go(settings: Settings, database: Database) -> None:
    await keep(settings, database, "known", days=2)
    await keep(settings, database, "lost", days=2)
    await keep(settings, database, "arriving", days=0)
    await database.run(lambda c: c.execute(files.delete().where(files.c.id != "known")))
    part = settings.files_folder / "ab" / "x.1234.part"
    part.parent.mkdir(exist_ok=True)
    part.write_bytes(b"half")
    os.utime(part, (0, 0))
    assert isinstance(store_of(settings), FolderStore)
    await FileRemover(settings, database, store_of(settings)).step(time.time())
    assert {path.name for path in settings.files_folder.glob("*/*")} == {"known", "arriving"}
