"""`content diff`, `parity` and `import` as editors call them."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path
from typing import Any

import builders
import pytest

from bot import __main__ as command_line
from bot.content.export import write_folder
from bot.content.models import Content
from bot.reports.formats import BOM
from bot.settings import Settings


@pytest.fixture
def bot(
    settings: Settings,
    tmp_path: Path,
    migrated: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Any:
    """Runs a command on a database of its own, with nothing else running."""
    settings.state_dir.mkdir(mode=0o700)
    shutil.copyfile(migrated, settings.state_dir / "samvad.sqlite3")
    monkeypatch.setenv("SAMVAD_STATE_DIR", str(settings.state_dir))
    monkeypatch.setenv("SAMVAD_LANGUAGES", "en")

    def run(*arguments: object, code: int = 0) -> str:
        assert command_line.main(["content", *map(str, arguments)]) == code
        said = capsys.readouterr()
        return said.out + said.err

    return run


def _files(folder: Path, *answers: str) -> Path:
    entries = (builders.entry(f"entry-{n}", answers={"en": a}) for n, a in enumerate(answers))
    write_folder(Content(tuple(entries)), folder)
    return folder


def test_versions_are_compared_with_the_live_one_and_with_any(bot: Any, tmp_path: Path) -> None:
    folder = tmp_path / "faq"
    for answers in (["one"], ["two"], ["two", "more"]):
        bot("publish", _files(folder, *answers))
    rows = json.loads(bot("diff", "--json"))
    assert [(row["change"], row["entry"]) for row in rows] == [("added", "entry-1")]
    rows = json.loads(bot("diff", 1, 2, "--json"))
    assert [(r["part"], r["before"], r["after"]) for r in rows] == [("answers", "one", "two")]
    assert len(json.loads(bot("diff", 1, "--json"))) == 2
    assert "one → two" in bot("diff", 1)
    assert "there is no version 9" in bot("diff", 1, 9, code=1)


def test_the_first_version_adds_everything(bot: Any, tmp_path: Path) -> None:
    bot("publish", _files(tmp_path / "faq", "one"))
    assert [row["change"] for row in json.loads(bot("diff", "--json"))] == ["added"]


def test_an_import_shows_what_it_changes_and_follows_the_conflict_rule(
    bot: Any, tmp_path: Path
) -> None:
    bot("publish", _files(tmp_path / "faq", "one"))
    bot("export", tmp_path / "out")
    edited = _files(tmp_path / "out", "two")
    dry = bot("import", edited, "--dry-run")
    assert "one → two" in dry
    assert "version" not in dry
    assert "version 2 is published" in bot("import", edited)
    assert "import of out" in bot("versions")
    stranger = _files(tmp_path / "stranger", "three")
    assert "version 2 is live: export it" in bot("import", stranger, code=1)
    assert "version 3 is published" in bot("import", stranger, "--force")


def test_faulty_files_are_not_imported(bot: Any, tmp_path: Path) -> None:
    folder = _files(tmp_path / "faq", "one")
    (folder / "broken.yml").write_text("topic: broken\n", "utf-8")
    assert "broken.yml" in bot("import", folder, "--force", code=1)
    assert bot("versions") == ""


def test_parity_as_table_csv_and_json(bot: Any, tmp_path: Path) -> None:
    bot("publish", _files(tmp_path / "faq", "one"))
    rows = json.loads(bot("parity", "--json"))
    assert [(row["finding"], row["entry"]) for row in rows] == [("never-asked", "entry-0")]
    text = bot("parity", "--csv")
    assert text.startswith(BOM)
    assert [row["entry"] for row in csv.DictReader(io.StringIO(text.removeprefix(BOM)))] == [
        "entry-0"
    ]
    assert "never-asked" in bot("parity", "--days", 7)
