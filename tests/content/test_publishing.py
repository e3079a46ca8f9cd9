"""Versions: numbered, based on one another, live one at a time; files and versions round trip."""

from __future__ import annotations

import json
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import builders
import pytest
import redis.asyncio
import sqlalchemy as sa

from bot import __main__ as command_line
from bot.content import publishing, versions
from bot.content.export import write_folder
from bot.content.load import load_folder
from bot.content.models import Content, Reply
from bot.errors import ContentError, VersionConflict
from bot.settings import Settings
from bot.stores import redis_keys
from bot.stores.database import Database
from bot.stores.tables import content_versions, events

LANGUAGES = ("en",)


def _content(*answers: str) -> Content:
    return Content(
        tuple(builders.entry(f"entry-{n}", answers={"en": a}) for n, a in enumerate(answers))
    )


def _write(database: Database, content: Content, based_on: int | None, **more: Any) -> Content:
    return database.call(lambda c: versions.write(c, content, based_on=based_on, **more))


def test_before_the_first_version_nothing_is_live(database: Database) -> None:
    assert database.call(versions.live_number) == 0
    assert database.call(lambda c: versions.read(c, 1)) is None


def test_each_version_gets_the_next_number_and_is_live_at_once(database: Database) -> None:
    first = _write(database, _content("a"), None)
    second = _write(database, _content("a", "b"), 1, author="ed", note="more")
    assert (first.number, second.number) == (1, 2)
    assert database.call(versions.live_number) == 2
    assert database.call(lambda c: versions.read(c, 1)) == first
    assert database.call(lambda c: versions.read(c, 2)) == second
    row = database.call(
        lambda c: c.execute(sa.select(content_versions).where(content_versions.c.number == 2)).one()
    )
    assert (row.based_on, row.author, row.note, row.digest) == (1, "ed", "more", second.digest)


def test_publishing_the_same_again_makes_no_version(database: Database) -> None:
    _write(database, _content("a"), None)
    assert _write(database, _content("a"), None).number == 1
    assert _write(database, _content("a"), 99, force=True).number == 1
    assert database.call(versions.live_number) == 1


@pytest.mark.parametrize("based_on", [None, 1, 3])
def test_files_not_based_on_the_live_version_are_refused(
    database: Database, based_on: int | None
) -> None:
    _write(database, _content("a"), None)
    live = _write(database, _content("b"), 1)
    with pytest.raises(VersionConflict, match=r"version 2 is live: export it") as refused:
        _write(database, _content("c"), based_on)
    assert (refused.value.based_on, refused.value.live) == (based_on, 2)
    assert database.call(versions.live_number) == live.number
    assert database.call(lambda c: versions.read(c, 3)) is None


@pytest.mark.parametrize("live", [None, 1])
def test_of_two_publishing_at_once_the_second_is_told_so(
    database: Database, live: int | None
) -> None:
    """Neither a raw error of the database nor two live versions, from the first version on."""
    if live:
        _write(database, _content("first"), None)
    # On SQLite a second writer does not even begin before the first has ended.
    both_began = threading.Barrier(1 if database.engine.dialect.name == "sqlite" else 2)

    def attempt(answer: str) -> str:
        def work(connection: sa.engine.Connection) -> Content:
            both_began.wait(10)
            return versions.write(connection, _content(answer), based_on=live)

        try:
            return str(database.call(work).number)
        except VersionConflict:
            return "conflict"

    with ThreadPoolExecutor(2) as pool:
        found = sorted(pool.map(attempt, ("a", "b")))
    assert found == [str((live or 0) + 1), "conflict"]


def test_force_publishes_over_another_version_and_says_so_in_the_log(database: Database) -> None:
    _write(database, _content("a"), None)
    assert _write(database, _content("b"), None, force=True).number == 2
    rows = database.call(
        lambda c: (
            c.execute(
                sa.select(events.c.data).where(events.c.type == "content.published").order_by("id")
            )
            .scalars()
            .all()
        )
    )
    assert [row["forced"] for row in rows] == [False, True]


def test_a_failure_after_writing_leaves_the_old_version_live(database: Database) -> None:
    _write(database, _content("a"), None)

    def work(connection: sa.engine.Connection) -> None:
        versions.write(connection, _content("b"), based_on=1)
        raise RuntimeError("the process dies before the commit")

    with pytest.raises(RuntimeError):
        database.call(work)
    assert database.call(versions.live_number) == 1
    assert _write(database, _content("c"), 1).number == 2


async def test_the_announcement_moves_the_mirror(redis: redis.asyncio.Redis) -> None:
    async with redis.pubsub() as follower:
        await follower.subscribe(redis_keys.CONTENT_CHANNEL)
        await follower.get_message(timeout=5)
        await versions.announce(redis, 7)
        told = await follower.get_message(timeout=5)
    assert await redis.get(redis_keys.CONTENT_LIVE) == "7"
    assert told is not None
    assert told["data"] == "7"


async def test_who_tells_last_of_an_earlier_version_takes_nothing_back(
    redis: redis.asyncio.Redis,
) -> None:
    for number in (6, 5):
        await versions.announce(redis, number)
    assert await redis.get(redis_keys.CONTENT_LIVE) == "6"


def test_the_base_of_a_folder_is_remembered(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    assert publishing.base_of(tmp_path, one) is None
    publishing.remember_base(tmp_path, one, 3)
    publishing.remember_base(tmp_path, two, 4)
    publishing.remember_base(tmp_path, one, 5)
    assert (publishing.base_of(tmp_path, one), publishing.base_of(tmp_path, two)) == (5, 4)
    (tmp_path / "content-base.json").write_text("damaged")
    assert publishing.base_of(tmp_path, one) is None


AWKWARD = [
    "line one\nline two\n\n  indented - list: like # comment",
    "yes",
    "null",
    "2026-01-01",
    "012",
    "1e3",
    "key: value",
    "- item",
    "'quoted' \"twice\"",
    "{braces} [brackets] & * ! | > % @ `",
    "emoji 👩🏽‍🦰 and \u200f RTL عربي\u200e",
    "क्\u200dष",
    "tab\tinside",
]


@pytest.mark.parametrize("text", AWKWARD)
def test_a_text_survives_export_and_load(tmp_path: Path, text: str) -> None:
    made = builders.entry(answers={"en": text}, examples={"en": (text, "b", "c")})
    write_folder(Content((made,)), tmp_path)
    assert load_folder(tmp_path, LANGUAGES).entries == (made,)


def test_export_and_load_give_the_same_digest_whatever_the_files_were_called(
    tmp_path: Path,
) -> None:
    entries = (
        builders.entry("z-one", topic="zebra", owner="ed", valid_from="2026-01-01"),
        builders.entry("a-one", topic="ant", policy="person", quick_replies=(Reply("person"),)),
        builders.entry("z-two", topic="zebra", quick_replies=(Reply("a-one", {"en": "Ant"}),)),
    )
    content = Content(entries, 4)
    assert write_folder(content, tmp_path) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ant.yml", "zebra.yml"]
    assert load_folder(tmp_path, LANGUAGES).digest == content.digest


def test_an_export_leaves_no_file_that_would_bring_entries_back(tmp_path: Path) -> None:
    write_folder(Content((builders.entry("z-one", topic="zebra"),)), tmp_path)
    before = (tmp_path / "zebra.yml").read_text("utf-8")
    with pytest.raises(ContentError, match=r"zebra\.yml: of a topic the version does not have"):
        write_folder(Content((builders.entry("a-one", topic="ant"),)), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["zebra.yml"]
    assert (tmp_path / "zebra.yml").read_text("utf-8") == before


def test_the_shipped_pack_survives_export_and_load(tmp_path: Path) -> None:
    languages = Settings().languages
    shipped = load_folder(Path("data/faq"), languages)
    write_folder(shipped, tmp_path)
    assert load_folder(tmp_path, languages).digest == shipped.digest


# — the commands —


@pytest.fixture
def bot(
    settings: Settings,
    tmp_path: Path,
    migrated: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Any:
    """Runs a command on a folder of two entries, with nothing else running."""
    settings.state_dir.mkdir()
    shutil.copyfile(migrated, settings.state_dir / "samvad.sqlite3")
    monkeypatch.setenv("SAMVAD_STATE_DIR", str(settings.state_dir))
    monkeypatch.setenv("SAMVAD_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("SAMVAD_LANGUAGES", "en")
    write_folder(_content("first", "second"), tmp_path / "data" / "faq")

    def run(*arguments: str, code: int = 0) -> str:
        assert command_line.main(["content", *arguments]) == code
        said = capsys.readouterr()
        return said.out + said.err

    return run


def _edit(tmp_path: Path, answer: str) -> None:
    write_folder(_content(answer, "second"), tmp_path / "data" / "faq")


def test_an_editors_day(bot: Any, tmp_path: Path, settings: Settings) -> None:
    assert "2 entries in 1 topics, 6 examples" in bot("validate")
    assert "version 1 is published" in bot("publish")
    assert "nothing differs from version 1" in bot("publish")
    _edit(tmp_path, "better")
    assert "version 2 is published" in bot("publish", "--note", "a better answer")
    versions = json.loads(bot("versions", "--json"))
    told = [(v["number"], v["live"], v["based_on"]) for v in versions]
    assert told == [(2, True, 1), (1, False, None)]
    assert "a better answer" in bot("versions")
    assert "version 3 is published" in bot("rollback", "1")
    bot("export", str(tmp_path / "out"))
    digests = [load_folder(f, LANGUAGES).digest for f in (tmp_path / "out", tmp_path / "data/faq")]
    assert digests == [_content("first", "second").digest, _content("better", "second").digest]


def test_files_from_before_a_rollback_are_refused_until_forced(bot: Any, tmp_path: Path) -> None:
    bot("publish")
    _edit(tmp_path, "better")
    bot("publish")
    bot("rollback", "1")
    _edit(tmp_path, "best")
    assert "version 3 is live: export it" in bot("publish", code=1)
    assert "version 4 is published" in bot("publish", "--force")


def test_a_set_up_publishes_once_and_leaves_what_is_live(bot: Any) -> None:
    assert "version 1" in bot("publish", "--if-none")
    assert bot("publish", "--if-none") == "version 1 is live and stays so\n"


def test_an_export_is_based_on_the_version_it_shows(bot: Any, tmp_path: Path) -> None:
    bot("publish")
    bot("export", str(tmp_path / "out"), "--version", "1")
    write_folder(_content("from the export", "second"), tmp_path / "out")
    assert "version 2 is published" in bot("publish", str(tmp_path / "out"))
    _edit(tmp_path, "from the old folder")
    assert "based on version 1, but version 2 is live" in bot("publish", code=1)


def test_a_version_that_is_not_there_is_named(bot: Any, tmp_path: Path) -> None:
    bot("publish")
    assert "there is no version 9" in bot("rollback", "9", code=1)
    assert "there is no version 0" in bot("rollback", "0", code=1)
    assert "there is no version 9" in bot("export", str(tmp_path / "o"), "--version", "9", code=1)


def test_a_fault_publishes_nothing(bot: Any, tmp_path: Path) -> None:
    bot("publish")
    (tmp_path / "data/faq/bad.yml").write_text("entries: 5", "utf-8")
    assert "bad.yml: write `topic: bad`" in bot("publish", code=1)
    assert [v["number"] for v in json.loads(bot("versions", "--json"))] == [1]
