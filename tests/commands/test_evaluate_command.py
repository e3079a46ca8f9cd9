"""Files people bring are read as they are, or refused with the line that is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bot.__main__ import main
from bot.commands.evaluate import read_tsv
from bot.errors import ConfigurationError


def write(path: Path, text: str) -> Path:
    path.write_text(text, "utf-8")
    return path


def test_columns_are_found_by_name_in_any_order(tmp_path: Path) -> None:
    file = write(tmp_path / "a.tsv", 'intent\ttext\nrefund\t"my" money\r\n\n')
    assert read_tsv(file, "text", "intent") == [('"my" money', "refund")]


def test_an_absent_optional_column_reads_as_empty(tmp_path: Path) -> None:
    file = write(tmp_path / "a.tsv", "lang\ttext\nhi\tनमस्ते\n")
    assert read_tsv(file, "lang", "text", optional=("script",)) == [("hi", "नमस्ते", "")]


def test_a_mark_in_front_and_cells_missing_at_the_end_are_no_fault(tmp_path: Path) -> None:
    path = tmp_path / "test.tsv"
    path.write_text("\ufefflang\ttext\tscript\r\nhi\tक्या\r\nen\tyes\tLatn\r\n", "utf-8")
    assert read_tsv(path, "lang", "text", optional=("script",)) == [
        ("hi", "क्या", ""),
        ("en", "yes", "Latn"),
    ]


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    file = write(tmp_path / "a.tsv", "text\tlabel\nx\ty\n")
    with pytest.raises(ConfigurationError, match=r"no column 'intent'.*text, label"):
        read_tsv(file, "text", "intent")


def test_a_short_line_is_named(tmp_path: Path) -> None:
    file = write(tmp_path / "a.tsv", "text\tintent\nx\ty\nonly\n")
    with pytest.raises(ConfigurationError, match=r"line 3 has 1 columns, not 2"):
        read_tsv(file, "text", "intent")


def test_language_is_measured_beside_langdetect(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [
        "lang\ttext",
        "th\tสินค้าอยู่ที่ไหน",
        "en\twhere is the parcel I ordered last week",
        "hi-Latn\tmera order kab tak aayega bhai",
    ]
    file = write(tmp_path / "a.tsv", "\n".join(rows))
    assert main(["evaluate", "language", "--test", str(file), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["accuracy"] == 1.0
    assert set(report["by_language"]) == {"th", "en", "hi-Latn"}
    assert report["by_language"]["hi-Latn"]["langdetect"] == 0.0
