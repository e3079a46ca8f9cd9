"""The short form of `make chaos`: the same code, fewer of everything (see chaos.py)."""

from __future__ import annotations

import asyncio
from pathlib import Path

from chaos import SHORT, database, run


def test_nothing_is_lost_doubled_or_disordered_while_everything_breaks(tmp_path: Path) -> None:
    with database(tmp_path, sqlite=True) as url:
        outcome = asyncio.run(run(SHORT, 7, tmp_path, url))
    assert outcome.verdict.ok, outcome.table
