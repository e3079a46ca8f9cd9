"""Each test file has a name of its own."""

from __future__ import annotations

from collections import Counter
from pathlib import Path


def test_no_two_test_files_share_a_name() -> None:
    """pytest imports them by their bare names, so a run of both folders would collect neither;
    runs of one folder each do not notice."""
    names = Counter(path.name for path in Path(__file__).parent.rglob("test_*.py"))
    assert [name for name, count in names.items() if count > 1] == []
