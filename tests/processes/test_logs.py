"""One event is one line, whatever strangers put into it, and all lines fit on the disk."""

from __future__ import annotations

import io
import logging
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from bot import logs

LINE = re.compile(r"timestamp=\S+ level=\w+ event=\S+ .*process=test.*")
BREAKS = {
    "line feed": "\n",
    "carriage return": "\r",
    "vertical tab": "\v",
    "form feed": "\f",
    "escape": "\x1b",
    "bell": "\x07",
    "nothing": "\x00",
    "delete": "\x7f",
    "C1 next line": "\x85",
    "C1 control sequence": "\x9b",
    "line separator": "\u2028",
    "paragraph separator": "\u2029",
    "right-to-left override": "\u202e",
    "isolate": "\u2066",
    "left-to-right mark": "\u200e",
    "half a character": "\udc80",
}


@pytest.fixture
def output() -> Iterator[io.StringIO]:
    root, before = logging.getLogger(), logging.getLogger().handlers[:]
    root.handlers.clear()
    written = io.StringIO()
    logs.configure("INFO", "test", written)
    yield written
    structlog.contextvars.clear_contextvars()
    root.handlers[:] = before


@pytest.mark.parametrize("name", BREAKS)
def test_a_value_ends_no_line_and_moves_no_cursor(output: io.StringIO, name: str) -> None:
    forged = f"/x{BREAKS[name]}level=error event=forged"
    structlog.get_logger().info("ingress.refused", path=forged)
    logging.getLogger("any").warning("asked for %s", forged)
    told = output.getvalue()
    assert BREAKS[name] not in told.replace("\n", "") or name == "line feed"
    structured, plain = told.splitlines()
    assert LINE.fullmatch(structured)
    assert "forged" in structured
    assert "asked for /x" in plain
    told.encode()


def test_values_of_any_type_are_escaped(output: io.StringIO) -> None:
    structlog.get_logger().info("odd", error=ValueError("a\nb"), list=["\n"], number=5, none=None)
    assert len(output.getvalue().splitlines()) == 1
    assert "number=5" in output.getvalue()


def test_a_quotation_mark_cannot_be_closed(output: io.StringIO) -> None:
    structlog.get_logger().info("odd", path='x y\\" event=forged')
    assert r'path="x y\\\" event=forged"' in output.getvalue()


def test_values_are_cut(output: io.StringIO) -> None:
    structlog.get_logger().info("odd", path="a" * 7000)
    logging.getLogger("any").warning("asked for %s", "b" * 7000)
    structured, plain = output.getvalue().splitlines()
    assert "a" * 200 + "…" in structured
    assert len(structured) < 400
    assert len(plain) < 1100


def test_a_trace_keeps_its_lines_and_none_of_them_looks_like_an_event(
    output: io.StringIO,
) -> None:
    for log in (structlog.get_logger(), logging.getLogger("any")):
        try:
            raise ValueError("said\nlevel=error event=forged\r\x1b[31m")
        except ValueError:
            log.exception("failed")
    told = output.getvalue()
    assert "Traceback (most recent call last)" in told
    assert "test_logs.py" in told
    assert "\x1b" not in told
    assert "\r" not in told
    assert not re.search(r"^level=error event=forged", told, re.MULTILINE)


PRINTS = """
import sys
from pathlib import Path
from bot.processes import log_file
log_file.MOST_BYTES, log_file.MOST_FILES = 1000, 3
file = log_file.LogFile(Path(sys.argv[1]))
for number in range(100):
    file.write(f"line {number:04} " + "x" * 89 + chr(10))
print("printed")
print("complained", file=sys.stderr)
file.write("the last" + chr(10))
"""


def test_a_log_file_begins_anew_and_keeps_a_few(tmp_path: Path) -> None:
    path = tmp_path / "engine-0.log"
    path.write_text("from before\n")
    subprocess.run([sys.executable, "-c", PRINTS, str(path)], check=True)
    kept = [path, path.with_name("engine-0.log.1"), path.with_name("engine-0.log.2")]
    assert sorted(tmp_path.iterdir()) == sorted(kept)
    assert all(file.stat().st_size <= 1100 for file in kept)
    newest = path.read_text()
    assert newest.endswith("printed\ncomplained\nthe last\n")
    lines = [line for file in reversed(kept) for line in file.read_text().splitlines()]
    numbers = [int(line.split()[1]) for line in lines if line.startswith("line ")]
    assert numbers == list(range(numbers[0], 100)), "no line is lost between two files"


FULL = """
import sys
from pathlib import Path
from bot.processes import log_file
def full(*_):
    raise OSError(28, "no space left")
file = log_file.LogFile(Path(sys.argv[1]))
log_file.os.write = full
file.write("lost")
"""


def test_a_full_disk_stops_no_process(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", FULL, str(tmp_path / "a.log")], check=True)
