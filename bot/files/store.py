"""Storage of the bytes of files: a folder that ingress, sender and desk share.

Another kind of store, such as an object store, implements `FileStore`. Ids are ours, never names
from outside; the names of files are in SQL.
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
"""Space left for the database and the logs on the same disk."""
CHUNK_BYTES = 256 * 1024
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_PART = ".part"


@dataclass(frozen=True)
class StoredFile:
    """Result of storing a file."""

    size: int
    """Bytes."""
    sha256: str
    """Hexadecimal."""


class FileStore(Protocol):
    """Interface of a store of bytes by id."""

    async def put(
        self, id_: str, chunks: AsyncIterator[bytes], most: int, check: Callable[[bytes], None]
    ) -> StoredFile:
        """Store a file completely or not at all; replace one with the same id.

        Args:
            most: Most bytes; a larger file is refused while it arrives.
            check: Called with its first `HEAD_BYTES`, or all of a shorter one; may raise.

        Raises:
            FileRefused: `too-large`, or from `check`.
            StoreUnavailable: The disk is full or fails.
        """

    async def open(self, id_: str) -> BinaryIO | None:
        """Open a file for reading; None if it is missing. The caller closes it."""

    async def delete(self, ids: Iterable[str]) -> None:
        """Delete files; missing ones are no error."""

    async def older_than(self, moment: float) -> list[str]:
        """List ids of files stored before a moment (Unix seconds); delete unfinished ones."""


def new_id() -> str:
    """Make an id that cannot be guessed."""
    return secrets.token_urlsafe(16).replace("-", "_")


def store_of(settings: Settings) -> FileStore:
    """Return the store of the settings."""
    return FolderStore(settings.files_folder)


class FolderStore:
    """File store in a folder that only its owner may read.

    Args:
        root: The folder; created with the first file.
        free_bytes: Space that must stay free on its disk.
    """

    def __init__(self, root: Path, free_bytes: int = FREE_BYTES) -> None:
        self._root = root
        self._free_bytes = free_bytes

    async def put(
        self, id_: str, chunks: AsyncIterator[bytes], most: int, check: Callable[[bytes], None]
    ) -> StoredFile:
        target = self._path(id_)
        part = target.with_name(f"{target.name}.{secrets.token_hex(4)}{_PART}")
        digest, size, head, checked = hashlib.sha256(), 0, b"", False
        with _disk_errors():
            file = await asyncio.to_thread(self._begin, part, most)
        try:
            async for chunk in chunks:
                size += len(chunk)
                if size > most:
                    raise FileRefused("too-large", f"send at most {most} bytes")
                if not checked:
                    head = (head + chunk)[:HEAD_BYTES]
                    if checked := len(head) == HEAD_BYTES:
                        check(head)
                digest.update(chunk)
                with _disk_errors():
                    await asyncio.to_thread(file.write, chunk)
            if not checked:
                check(head)
            with _disk_errors():
                await asyncio.to_thread(_finish, file, part, target)
        except BaseException:
            file.close()
            part.unlink(missing_ok=True)
            raise
        return StoredFile(size, digest.hexdigest())

    async def open(self, id_: str) -> BinaryIO | None:
        with _disk_errors(), contextlib.suppress(FileNotFoundError):
            return await asyncio.to_thread(self._path(id_).open, "rb")
        return None

    async def delete(self, ids: Iterable[str]) -> None:
        paths = [self._path(id_) for id_ in ids]
        with _disk_errors():
            await asyncio.to_thread(_unlink, paths)

    async def older_than(self, moment: float) -> list[str]:
        with _disk_errors():
            return await asyncio.to_thread(self._older_than, moment)

    def _path(self, id_: str) -> Path:
        if not _ID.fullmatch(id_):
            raise ValueError("not an id of a file")
        # In subfolders, so that none gets more than a few thousand entries.
        return self._root / hashlib.sha256(id_.encode()).hexdigest()[:2] / id_

    def _begin(self, part: Path, most: int) -> BinaryIO:
        part.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if shutil.disk_usage(part.parent).free < self._free_bytes + most:
            raise StoreUnavailable("files", "the disk is nearly full")
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        return os.fdopen(descriptor, "wb")

    def _older_than(self, moment: float) -> list[str]:
        ids = []
        for path in self._root.glob("*/*"):
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime >= moment:
                    continue
                if path.name.endswith(_PART):
                    path.unlink()
                else:
                    ids.append(path.name)
        return ids


def _finish(file: BinaryIO, part: Path, target: Path) -> None:
    file.flush()
    os.fsync(file.fileno())
    file.close()
    part.replace(target)
    # The folder entry must be on disk as well before SQL names the file.
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _unlink(paths: list[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def _disk_errors() -> Iterator[None]:
    """Raise our error for errors of the disk; a missing file is no such error."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        raise StoreUnavailable("files", error.strerror or type(error).__name__) from error
