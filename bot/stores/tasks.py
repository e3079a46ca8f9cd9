"""What every endless loop of ours asks before it goes round again."""

from __future__ import annotations

import asyncio


def goes_on() -> bool:
    """Tell whether the current task was not asked to stop.

    A cancellation that arrives while the Redis driver connects gets lost in it; the task itself
    remembers that it was asked.
    """
    task = asyncio.current_task()
    return not (task and task.cancelling())
