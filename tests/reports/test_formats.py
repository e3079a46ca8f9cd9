"""Rows as table, CSV and JSON."""

from __future__ import annotations

import csv
import io

import pytest

from bot.reports.formats import BOM, as_csv, as_table, as_text, escape_formula

ROWS = [{"word": "शिपिंग, आज", "n": -5}, {"word": "=1+1", "n": 12}]


@pytest.mark.parametrize("text", ["=HYPERLINK(1)", "+1", "-1", "@x", "\tx", "\rx"])
def test_a_spreadsheet_runs_no_words_of_a_customer(text: str) -> None:
    assert escape_formula(text) == f"'{text}"
    assert escape_formula("a=1") == "a=1"


def test_csv_comes_back_with_its_letters_and_its_numbers() -> None:
    text = as_csv(ROWS, ("word", "n"))
    assert text.startswith(BOM)
    rows = list(csv.reader(io.StringIO(text.removeprefix(BOM), newline="")))
    assert rows == [["word", "n"], ["शिपिंग, आज", "-5"], ["'=1+1", "12"]]


def test_a_table_has_its_columns_below_each_other() -> None:
    head, _, last = as_table(ROWS, ("word", "n")).splitlines()
    assert head.index("n") == last.index("12")


def test_every_format_ends_its_last_line() -> None:
    assert all(as_text(ROWS, ("n",), kind).endswith("\n") for kind in ("table", "csv", "json"))
    assert as_text([], ("n",)) == "n\n(nothing yet)\n"
