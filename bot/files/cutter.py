"""What all cutters of metadata share: they pass a file on piece by piece."""

from __future__ import annotations

from collections.abc import Iterator


class Cutter:
    """Passes everything on; the others cut."""

    def __init__(self) -> None:
        self._held = bytearray()

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Pass a piece on, or keep what cannot be told yet.

        Raises:
            FileRefused: It cannot be told what of this file would be metadata.
        """
        yield chunk

    def end(self) -> Iterator[bytes]:
        """What is left when nothing more comes: a file that is cut short stays so."""
        if self._held:
            yield bytes(self._held)

    def _take(self, count: int) -> bytes:
        taken = bytes(self._held[:count])
        del self._held[:count]
        return taken
