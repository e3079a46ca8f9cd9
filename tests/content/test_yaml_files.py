"""Files of an unusual shape are refused before they are read; small ones stand for large ones."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from bot.content import load, yaml_files
from bot.content.yaml_files import MOST_LEVELS, UnusualShape
from bot.errors import ContentError

USUAL = "topic: returns\nentries:\n  - id: wrong-item\n    title: {en: Wrong item}\n"


def test_what_people_write_is_read() -> None:
    read = yaml_files.load(USUAL)
    assert read["entries"][0]["title"] == {"en": "Wrong item"}
    assert yaml_files.load("- a & b\n- c * d\n- 'x: *y'\n") == ["a & b", "c * d", "x: *y"]


@pytest.mark.parametrize(
    "text",
    ["a: &x 1\n", "a: &x 1\nb: *x\n", "- &x {a: 1}\n- <<: *x\n", "&x [*x]\n"],
)
def test_references_are_refused(text: str) -> None:
    with pytest.raises(UnusualShape, match="references"):
        yaml_files.load(text)


def _flow(levels: int) -> str:
    return "[" * levels + "]" * levels


def _block(levels: int) -> str:
    return "".join("  " * level + "a:\n" for level in range(levels - 1)) + "  " * levels + "a: 1\n"


def _dashes(levels: int) -> str:
    return "- " * levels + "x\n"


@pytest.mark.parametrize("nested", [_flow, _block, _dashes])
def test_twenty_levels_are_read_and_no_more(nested: object) -> None:
    assert callable(nested)
    yaml_files.load(nested(MOST_LEVELS))
    with pytest.raises(UnusualShape, match="20 levels"):
        yaml_files.load(nested(MOST_LEVELS + 1))


def test_what_is_no_yaml_is_an_error_of_yaml() -> None:
    with pytest.raises(yaml.YAMLError):
        yaml_files.load("a: [1\n")


def test_a_file_has_a_largest_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml_files, "MOST_BYTES", 100)
    path = tmp_path / "big.yml"
    path.write_text("a" * 100, "utf-8")
    assert yaml_files.read_text(path) == "a" * 100
    path.write_text("a" * 101, "utf-8")
    with pytest.raises(ContentError, match=r"big\.yml: larger"):
        yaml_files.read_text(path)


def test_an_editor_is_told_where(tmp_path: Path) -> None:
    (tmp_path / "returns.yml").write_text(USUAL + "other: &x 1\n", "utf-8")
    (tmp_path / "deep.yml").write_text(_flow(MOST_LEVELS + 1), "utf-8")
    with pytest.raises(ContentError) as caught:
        load.load_folder(tmp_path, ("en",))
    first, second = caught.value.problems
    assert "deep.yml: not valid YAML: line 1, column 21: more than 20 levels" in first
    assert "returns.yml: not valid YAML: line 5, column 8: references" in second
