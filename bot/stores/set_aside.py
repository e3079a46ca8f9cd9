"""Memory of rows that failed unexpectedly, which a loop leaves alone for a growing pause.

Loops over rows use it, so that one odd row neither ends the loop nor holds up other rows
(docs/operations.md#odd-rows). A store that is down is no row's fault; its error passes through.
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
"""Pause after the first failure of a row; doubles with each further one."""
LONGEST_PAUSE_S = 900.0
MOST = 1000
"""Rows remembered; beyond that, those set aside longest ago are forgotten and tried again."""
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class _Failed:
    failures: int
    until: float
    """Monotonic seconds."""


class SetAside:
    """Rows that one loop has set aside.

    Args:
        loop: Name of the loop, for the log and the health page.
        clock: Returns monotonic seconds.
    """

    def __init__(self, loop: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.loop = loop
        self._clock = clock
        self._rows: OrderedDict[str, _Failed] = OrderedDict()

    def __len__(self) -> int:
        """Count the rows whose last try failed not long ago."""
        return sum(not self._is_past(failed) for failed in list(self._rows.values()))

    def __bool__(self) -> bool:
        """True, also while no row is set aside."""
        return True

    def __contains__(self, row: object) -> bool:
        """Tell whether a row is to be left alone now."""
        failed = self._rows.get(row) if isinstance(row, str) else None
        return failed is not None and self._clock() < failed.until

    def ids(self) -> list[str]:
        """List the rows to be left alone now, for the condition of a query."""
        return [row for row in list(self._rows) if row in self]

    @contextmanager
    def row(self, row: str) -> Iterator[None]:
        """Work on a row; an unexpected error sets the row aside and is not raised.

        Raises:
            StoreUnavailable: A store is down, which is not the row's fault.
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
        """Set a row aside and log it, without the error's text, which may quote a customer."""
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
            at=raised_at(error),
        )

    def _is_past(self, failed: _Failed) -> bool:
        """Tell whether a failed row has not failed again since its pause ended."""
        return self._clock() > failed.until + LONGEST_PAUSE_S

    async def each(
        self, rows: Sequence[str], work: Callable[[Sequence[str]], Awaitable[object]]
    ) -> int:
        """Work on all rows at once; where that fails, on each alone.

        Returns:
            Number of rows that are done.

        Raises:
            StoreUnavailable: A store is down.
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


def raised_at(error: BaseException) -> str:
    """Return the last line of our code an error came through, `bot/handoff/snooze.py:107`."""
    for frame in reversed(extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        if path.is_relative_to(ROOT) and "site-packages" not in path.parts:
            return f"{path.relative_to(ROOT)}:{frame.lineno}"
    return ""
