"""Takes out of an environment what only the developers of its libraries use: a seventh of it.

`python deploy/prune.py .venv`, as `make env INSTALL=engine` does after installing: tests, type
stubs, sources in C, and parts of libraries that nothing here imports. Licences stay, they lie in
`*.dist-info`. docs/decisions/0009-three-installs.md
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

TESTS = frozenset({"_tests", "test", "tests"})
SOURCES = frozenset({".a", ".c", ".cc", ".cpp", ".h", ".hpp", ".pxd", ".pxi", ".pyi", ".pyx"})
"""Nobody compiles or type-checks where a system runs."""
PARTS = (
    "alembic/testing",
    "dask/array",
    "dask/dataframe",
    "onnxruntime/datasets",
    "onnxruntime/quantization",
    "onnxruntime/tools",
    "onnxruntime/transformers",
    "regex/test_regex.py",
    "sqlalchemy/testing",
)
"""By hand: large, and imported by nothing that runs here."""
WHOLE = frozenset({"rasa"})
"""`rasa init` copies a folder `tests`."""
MARK = "pruned"
"""File that says so; whoever installs `dev` over it installs everything anew."""


def doomed(packages: Path) -> Iterator[Path]:
    """Folders and files to delete; nothing in a folder that is named itself.

    Args:
        packages: A folder `site-packages`.
    """
    yield from (packages / part for part in PARTS if (packages / part).exists())
    named = {packages / part for part in PARTS}
    waiting = [packages]
    while waiting:
        for path in sorted(waiting.pop().iterdir()):
            if path in named or path.is_symlink():
                continue
            if path.is_dir():
                if path.name in TESTS:
                    yield path
                elif path.parent != packages or path.name not in WHOLE:
                    waiting.append(path)
            elif path.suffix in SOURCES:
                yield path


def prune(environment: Path) -> None:
    """Delete it all, and leave the mark."""
    for packages in environment.glob("lib/python3.*/site-packages"):
        for path in list(doomed(packages)):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
    (environment / MARK).touch()


def size_mb(folder: Path) -> float:
    """What a folder takes on disk, in 2^20 bytes, as `du -sm` counts."""
    blocks = {
        (found.st_dev, found.st_ino): found.st_blocks
        for path in (folder, *folder.rglob("*"))
        for found in [path.lstat()]
    }
    return sum(blocks.values()) * 512 / 2**20


if __name__ == "__main__":
    environment = Path(sys.argv[1])
    before = size_mb(environment)
    prune(environment)
    print(
        f"{environment}: {size_mb(environment):.0f} MB, without tests and sources; was {before:.0f}"
    )
