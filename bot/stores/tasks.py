"""Guard for endless loops: has the current task been cancelled?"""

from __future__ import annotations

import asyncio


def not_cancelled() -> bool:
    """Tell whether the current task may go on, that is, was not cancelled.

    On Python 3.11 a cancellation that arrives while the Redis driver writes a command gets lost
    (findings/redis-py-cancelled-write.sh); the task itself still counts it.
    """
    task = asyncio.current_task()
    return not (task and task.cancelling())
