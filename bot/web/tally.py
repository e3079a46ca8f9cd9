"""Writes log lines that strangers can cause: the first at once, then how many more there were."""

from __future__ import annotations

import asyncio

import structlog

LOG = structlog.get_logger(__name__)
EVERY_S = 5.0
"""Seconds for which lines of one kind are counted instead of written."""
MOST_KINDS = 500
"""Kinds within that time; more are not told apart by any code of ours."""


class Tally:
    """Counts lines of the same event and fields."""

    def __init__(self) -> None:
        self._more: dict[tuple[str, str, tuple[tuple[str, object], ...]], int] = {}
        self._timer: asyncio.TimerHandle | None = None

    def note(
        self,
        event: str,
        *,
        level: str = "info",
        example: str = "",
        error: BaseException | None = None,
        **fields: str | int,
    ) -> None:
        """Say that something happened.

        Args:
            example: A stranger's words, such as an address; written with the first line only.
            error: A fault of our own, whose trace is written with the first line only.
            fields: Words of our own, of which there are few.
        """
        if error is not None:
            level, fields["error"] = "error", type(error).__name__
        kind = (event, level, tuple(sorted(fields.items())))
        if kind in self._more:
            self._more[kind] += 1
            return
        if len(self._more) >= MOST_KINDS:
            return
        self._more[kind] = 0
        once: dict[str, object] = {"example": example} if example else {}
        if error is not None:
            once["exc_info"] = error
        getattr(LOG, level)(event, **fields, **once)
        loop = asyncio.get_running_loop()
        # A timer of a loop that has ended meanwhile never comes.
        if self._timer is None or self._timer.when() + EVERY_S < loop.time():
            self._timer = loop.call_later(EVERY_S, self.write)

    def write(self) -> None:
        """Write how many more there were of each kind, and begin anew."""
        self._timer = None
        more, self._more = self._more, {}
        for (event, level, fields), count in more.items():
            if count:
                getattr(LOG, level)(event, **dict(fields), more=count)


TALLY = Tally()
"""Of this process."""
