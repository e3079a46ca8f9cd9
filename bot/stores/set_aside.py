"""Rows that failed in a way nobody foresaw: logged, counted, and left alone for a growing pause.

Loops that work rows off ask here, so that one odd row ends no loop and holds up no other row
(docs/operations.md#odd-rows). A store that is away is no fault of a row and passes through.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from traceback import extract_tb

import structlog

from bot.errors import StoreUnavailable

LOG = structlog.get_logger(__name__)

FIRST_PAUSE_S = 30.0
"""Doubles with each failure of a row."""
LONGEST_PAUSE_S = 900.0
MOST = 1000
"""Rows remembered; of more, those set aside longest ago are tried again earlier."""
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class _Failed:
    failures: int
    until: float
    """Monotonic seconds."""


class SetAside:
    """Memory of one loop.

    Args:
        loop: Name for the log and for the health page.
        clock: Seconds of a clock that never goes back.
    """

    def __init__(self, loop: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.loop = loop
        self._clock = clock
        self._rows: OrderedDict[str, _Failed] = OrderedDict()

    def __len__(self) -> int:
        """Rows that failed the last time they were tried, as far as that is not long ago."""
        return sum(not self._is_past(failed) for failed in list(self._rows.values()))

    def __bool__(self) -> bool:
        """There is a memory, also where it is empty."""
        return True

    def __contains__(self, row: object) -> bool:
        """Tell whether a row is to be left alone now."""
        failed = self._rows.get(row) if isinstance(row, str) else None
        return failed is not None and self._clock() < failed.until

    def ids(self) -> list[str]:
        """Rows to be left alone now, for the condition of a query."""
        return [row for row in list(self._rows) if row in self]

    @contextmanager
    def row(self, row: str) -> Iterator[None]:
        """Work on a row; what it raises unforeseen sets it aside and goes no further.

        Raises:
            StoreUnavailable: A store is away: the row is not to blame.
        """
        try:
            yield
        except StoreUnavailable:
            raise
        except Exception as error:
            self.put(row, error)
        else:
            self._rows.pop(row, None)

    def done(self, row: str) -> None:
        """Forget a row that did not fail again."""
        self._rows.pop(row, None)

    def put(self, row: str, error: Exception) -> None:
        """Set a row aside; the error's own words, which may quote a customer's, stay out."""
        before = self._rows.pop(row, None)
        failures = before.failures + 1 if before and not self._is_past(before) else 1
        pause_s = min(FIRST_PAUSE_S * 2 ** min(failures - 1, 16), LONGEST_PAUSE_S)
        self._rows[row] = _Failed(failures, self._clock() + pause_s)
        if len(self._rows) > MOST:
            self._rows.popitem(last=False)
        LOG.error(
            "row.set_aside",
            loop=self.loop,
            row=row,
            failures=failures,
            again_s=pause_s,
            error=type(error).__name__,
            at=where(error),
        )

    def _is_past(self, failed: _Failed) -> bool:
        """It has failed, but not again since its pause ended."""
        return self._clock() > failed.until + LONGEST_PAUSE_S

    async def each(
        self, rows: Sequence[str], work: Callable[[Sequence[str]], Awaitable[object]]
    ) -> int:
        """Work on all rows at once; where that fails, on each alone.

        Returns:
            How many rows are done.

        Raises:
            StoreUnavailable: A store is away.
        """
        try:
            await work(rows)
        except StoreUnavailable:
            raise
        except Exception as error:
            if len(rows) == 1:
                self.put(rows[0], error)
                return 0
        else:
            for row in rows:
                self._rows.pop(row, None)
            return len(rows)
        done = 0
        for row in rows:
            with self.row(row):
                await work([row])
                done += 1
        return done


def where(error: BaseException) -> str:
    """Last line of ours that an error came through, `bot/handoff/snooze.py:107`."""
    for frame in reversed(extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        if path.is_relative_to(ROOT) and "site-packages" not in path.parts:
            return f"{path.relative_to(ROOT)}:{frame.lineno}"
    return ""
