"""The folder: whole files or none, nothing outside it, nothing readable by others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.errors import FileRefused, StoreUnavailable
from bot.files.content import HEAD_BYTES
from bot.files.store import FolderStore, new_id


@pytest.fixture
def folder(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "files", free_bytes=0)


def there(folder: FolderStore) -> list[Path]:
    return [path for path in folder._root.rglob("*") if path.is_file()]


async def pieces(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


def anything(head: bytes) -> None:
    pass


async def test_what_is_put_can_be_opened_and_deleted(folder: FolderStore) -> None:
    heads: list[bytes] = []
    put = await folder.put("f1", pieces(b"a" * 5000, b"b" * 5000), 10_000, heads.append)
    assert put.size == 10_000
    assert heads == [b"a" * 5000 + b"b" * (HEAD_BYTES - 5000)]
    file = await folder.open("f1")
    assert file is not None
    with file:
        assert file.read() == b"a" * 5000 + b"b" * 5000
    (path,) = there(folder)
    assert path.stat().st_mode & 0o077 == 0
    await folder.delete(["f1", "never-there"])
    assert await folder.open("f1") is None
    assert there(folder) == []


async def test_one_byte_too_many_leaves_nothing(folder: FolderStore) -> None:
    with pytest.raises(FileRefused) as refused:
        await folder.put("f1", pieces(b"a" * 10, b"b"), 10, anything)
    assert refused.value.code == "too-large"
    assert there(folder) == []


async def test_a_source_that_breaks_leaves_nothing_and_the_old_file_stays(
    folder: FolderStore,
) -> None:
    await folder.put("f1", pieces(b"old"), 10, anything)

    async def breaking() -> AsyncIterator[bytes]:
        yield b"new"
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await folder.put("f1", breaking(), 10, anything)
    (path,) = there(folder)
    assert path.read_bytes() == b"old"


async def test_a_cancelled_upload_leaves_nothing(folder: FolderStore) -> None:
    begun = asyncio.Event()

    async def waiting() -> AsyncIterator[bytes]:
        yield b"first"
        begun.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(folder.put("f1", waiting(), 10, anything))
    await begun.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert there(folder) == []


@pytest.mark.parametrize("id_", ["../f1", "a/b", "", ".", "..", "a" * 65, "a\0", "x.part", "ü"])
async def test_an_id_is_never_a_path(folder: FolderStore, id_: str) -> None:
    with pytest.raises(ValueError, match="id"):
        await folder.open(id_)


async def test_a_full_disk_is_an_absent_store(tmp_path: Path) -> None:
    full = FolderStore(tmp_path, free_bytes=10**18)
    with pytest.raises(StoreUnavailable, match="full"):
        await full.put("f1", pieces(b"a"), 10, anything)
    assert there(full) == []


async def test_a_folder_that_cannot_be_made_is_an_absent_store(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreUnavailable):
        await FolderStore(tmp_path / "file", free_bytes=0).put("f1", pieces(b"a"), 10, anything)


def test_ids_are_not_guessed() -> None:
    ids = {new_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert all(len(id_) >= 22 for id_ in ids)
