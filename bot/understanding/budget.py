"""What reading one message may cost: a budget of processor time on its thread."""

from __future__ import annotations

import math
import time


class Budget:
    """Processor time left for one message.

    Checked between the steps of reading it, none of which is long by itself.

    Args:
        seconds: Processor time of the calling thread, so that a busy machine costs no message its
            answer.
    """

    def __init__(self, seconds: float = math.inf) -> None:
        self._until = time.thread_time() + seconds

    @property
    def is_spent(self) -> bool:
        """Tell whether nothing more may be done for this message."""
        return time.thread_time() > self._until


UNLIMITED = Budget()
