"""Where the bytes of files are: a folder that ingress, sender and desk share.

Another kind of store (an object store, say) implements `FileStore`. Ids are ours, never a name
from outside; what a file is called is in SQL.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import re
import secrets
import shutil
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from bot.errors import FileRefused, StoreUnavailable
from bot.files.content import HEAD_BYTES
from bot.settings import Settings

FREE_BYTES = 256 * 1024 * 1024
"""Room that is left to the database and the logs on the same disk."""
CHUNK_BYTES = 256 * 1024
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_PART = ".part"


@dataclass(frozen=True)
class Put:
    """What was stored."""

    size: int
    """Bytes."""
    sha256: str
    """Hexadecimal."""


class FileStore(Protocol):
    """Keeps bytes by id."""

    async def put(
        self, id_: str, chunks: AsyncIterator[bytes], most: int, look: Callable[[bytes], None]
    ) -> Put:
        """Store a file, all of it or nothing; an id that is there is written anew.

        Args:
            most: Bytes beyond which it is refused, while it arrives.
            look: Gets its first `HEAD_BYTES`, or all of a shorter one; what it raises refuses it.

        Raises:
            FileRefused: `too-large`, or from `look`.
            StoreUnavailable: No room, or the disk refuses.
        """

    async def open(self, id_: str) -> BinaryIO | None:
        """Open a file for reading; None if it is not there. The caller closes it."""

    async def delete(self, ids: Iterable[str]) -> None:
        """Delete files; those that are not there are no error."""

    async def older_than(self, moment: float) -> list[str]:
        """Ids of files stored before a moment (Unix seconds); what was left unfinished before it
        is cleared away."""


def new_id() -> str:
    """Make a name nobody can guess."""
    return secrets.token_urlsafe(16).replace("-", "_")


def store_of(settings: Settings) -> FileStore:
    """The store these settings name."""
    return Folder(settings.files_folder)


class Folder:
    """Files in a folder, readable by its owner only.

    Args:
        root: Is made when the first file comes.
        free_bytes: Room that must stay free on its disk.
    """

    def __init__(self, root: Path, free_bytes: int = FREE_BYTES) -> None:
        self._root = root
        self._free_bytes = free_bytes

    async def put(
        self, id_: str, chunks: AsyncIterator[bytes], most: int, look: Callable[[bytes], None]
    ) -> Put:
        target = self._path(id_)
        part = target.with_name(f"{target.name}.{secrets.token_hex(4)}{_PART}")
        digest, size, head, seen = hashlib.sha256(), 0, b"", False
        with _turned():
            file = await asyncio.to_thread(self._begin, part, most)
        try:
            async for chunk in chunks:
                size += len(chunk)
                if size > most:
                    raise FileRefused("too-large", f"send at most {most} bytes")
                if not seen:
                    head = (head + chunk)[:HEAD_BYTES]
                    if seen := len(head) == HEAD_BYTES:
                        look(head)
                digest.update(chunk)
                with _turned():
                    await asyncio.to_thread(file.write, chunk)
            if not seen:
                look(head)
            with _turned():
                await asyncio.to_thread(_finish, file, part, target)
        except BaseException:
            file.close()
            part.unlink(missing_ok=True)
            raise
        return Put(size, digest.hexdigest())

    async def open(self, id_: str) -> BinaryIO | None:
        with _turned(), contextlib.suppress(FileNotFoundError):
            return await asyncio.to_thread(self._path(id_).open, "rb")
        return None

    async def delete(self, ids: Iterable[str]) -> None:
        paths = [self._path(id_) for id_ in ids]
        with _turned():
            await asyncio.to_thread(_unlink, paths)

    async def older_than(self, moment: float) -> list[str]:
        with _turned():
            return await asyncio.to_thread(self._older_than, moment)

    def _path(self, id_: str) -> Path:
        if not _ID.fullmatch(id_):
            raise ValueError("not an id of a file")
        # Spread: no folder gets more than a few thousand entries.
        return self._root / hashlib.sha256(id_.encode()).hexdigest()[:2] / id_

    def _begin(self, part: Path, most: int) -> BinaryIO:
        part.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if shutil.disk_usage(part.parent).free < self._free_bytes + most:
            raise StoreUnavailable("files", "the disk is nearly full")
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        return os.fdopen(descriptor, "wb")

    def _older_than(self, moment: float) -> list[str]:
        found = []
        for path in self._root.glob("*/*"):
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime >= moment:
                    continue
                if path.name.endswith(_PART):
                    path.unlink()
                else:
                    found.append(path.name)
        return found


def _finish(file: BinaryIO, part: Path, target: Path) -> None:
    file.flush()
    os.fsync(file.fileno())
    file.close()
    part.replace(target)
    # The name must last as well: SQL is told of the file next.
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _unlink(paths: list[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def _turned() -> Iterator[None]:
    """Turn the disk's errors into ours; that a file is absent is no fault of the disk."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        raise StoreUnavailable("files", error.strerror or type(error).__name__) from error
