"""What every endless loop of ours asks before it goes round again."""

from __future__ import annotations

import asyncio


def goes_on() -> bool:
    """Tell whether the current task was not asked to stop.

    On Python 3.11 a cancellation that arrives while the Redis driver writes a command gets lost
    (findings/redis-py-cancelled-write.sh); the task itself remembers that it was asked.
    """
    task = asyncio.current_task()
    return not (task and task.cancelling())
