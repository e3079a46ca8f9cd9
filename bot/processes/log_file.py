"""The log file of one process: ten of ten megabytes, so that no stranger fills the disk."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from pathlib import Path

MOST_BYTES = 10 * 1000 * 1000
"""Of a file; then it is called `<name>.1`, and that one `<name>.2`."""
MOST_FILES = 10
MEASURE_BYTES = 64 * 1024
"""Between two looks at the size, since libraries print past this file into it."""


class LogFile:
    """Writes log lines, and takes the process's standard output and error along.

    Each file has one process that writes it; `serve` gives every process its own.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._room = self._unmeasured = 0
        self._open()

    def write(self, text: str) -> int:
        """Write a whole line; where the disk is full, lines get lost and the process goes on."""
        line = text.encode("utf-8", "backslashreplace")
        with self._lock, contextlib.suppress(OSError):
            self._unmeasured += len(line)
            if self._unmeasured > MEASURE_BYTES:
                self._measure()
            if len(line) > self._room < MOST_BYTES:
                self._rotate()
            self._room -= len(line)
            while line:
                line = line[os.write(1, line) :]
        return len(text)

    def flush(self) -> None:
        """Lines are written at once."""

    def _rotate(self) -> None:
        with contextlib.suppress(OSError):
            for number in range(MOST_FILES - 1, 0, -1):
                older, newer = self._numbered(number), self._numbered(number - 1)
                if newer.exists():
                    newer.replace(older)
            self._open()
        # Where it could not be renamed it grows on; that is tried again after as many bytes.
        self._room = max(self._room, MOST_BYTES)

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}") if number else self._path

    def _open(self) -> None:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        number = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.dup2(number, 1)
            os.dup2(number, 2)
        finally:
            os.close(number)
        self._measure()

    def _measure(self) -> None:
        self._unmeasured = 0
        self._room = MOST_BYTES - os.fstat(1).st_size
