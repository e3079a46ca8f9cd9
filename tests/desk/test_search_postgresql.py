"""Search on PostgreSQL: trigram indexes where the extension is there, the same finds without."""

from __future__ import annotations

from collections.abc import Iterator

import desk_seed as seed
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from bot.desk.conversation import notes
from bot.desk.people.scope import Scope
from bot.desk.search import find, folded_search, index, trigrams
from bot.desk.search.folding import fold
from bot.stores.database import Database


@pytest.fixture
def filled(postgresql_url: str) -> Iterator[Database]:
    database = Database(postgresql_url, threads=1)

    def rows(connection: Connection) -> None:
        for ident, name, text in (
            ("es", "José Núñez", "¿Cuándo llega MI camión? 100%_ok"),
            ("th", "สมหญิง", "สินค้าที่ได้รับไม่ตรงกับที่สั่ง"),
            ("ar", "أحمد", "أُريدُ استرجاع المبلغ"),
        ):
            seed.conversation(connection, ident, name=name)
            seed.message(connection, ident, text)
        notes.add(connection, "th", "u", "Courier called", key="n" * 8)

    database.call(rows)
    yield database
    database.close()


@pytest.mark.parametrize("indexed", [True, False])
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("camion", ["es"]),
        ("NUNEZ", ["es"]),
        ("اريد", ["ar"]),
        ("احمد", ["ar"]),
        ("mi", ["es"]),
        ("CAMIÓN", ["es"]),
        ("josé mi", ["es"]),
        ("ได้รับ", ["th"]),
        ("المبلغ", ["ar"]),
        ("courier", ["th"]),
        ("100%_", ["es"]),
        ("100__", []),
        ("camión أحمد", []),
        ("", []),
    ],
)
def test_texts_notes_and_names_are_found(
    filled: Database, indexed: bool, query: str, found: list[str]
) -> None:
    if not indexed:
        filled.call(_without_indexes)
    assert filled.call(lambda c: find.conversations(c, query)) == found


@pytest.mark.parametrize(
    ("query", "teams"),
    [
        ("common mk-20931", None),
        ("mk-20931 common", None),
        ("common", {"small"}),
        ("common mk-20931", {"small"}),
    ],
)
def test_newer_conversations_crowd_out_no_older_one(
    filled: Database, monkeypatch: pytest.MonkeyPatch, query: str, teams: set[str] | None
) -> None:
    monkeypatch.setattr(find, "MOST", 1)

    def rows(connection: Connection) -> None:
        seed.conversation(connection, "old", team="small", last_message_at=1.0)
        seed.message(connection, "old", "Common words, MK-20931")
        for number in range(6):
            seed.conversation(connection, f"new-{number}", team="big")
            seed.message(connection, f"new-{number}", "Common words")

    filled.call(rows)
    seen = Scope("u", None if teams is None else frozenset(teams))
    assert filled.call(lambda c: find.conversations(c, query, seen)) == ["old"]


def test_a_search_reads_the_index_instead_of_all_texts(filled: Database) -> None:
    def plan(connection: Connection) -> str:
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        query = (
            "EXPLAIN SELECT conversation FROM messages"
            " WHERE samvad_fold(text) LIKE '%%camion%%' ESCAPE '\\'"
        )
        return "\n".join(row[0] for row in connection.exec_driver_sql(query))

    assert "Bitmap Index Scan" in filled.call(plan)


def test_the_index_of_sqlite_has_nothing_to_do_here(filled: Database) -> None:
    filled.call(index.prepare)
    assert not filled.call(index.behind)


def test_without_the_extension_the_schema_comes_up_all_the_same(
    filled: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trigrams, "EXTENSION", "no_such_extension")
    filled.call(_without_indexes)
    filled.call(folded_search.drop)
    filled.call(trigrams.create)
    assert filled.call(lambda c: find.conversations(c, "camión")) == ["es"]
    assert filled.call(lambda c: find.conversations(c, "camion")) == [], "as written, then"


TEXTS = (
    "JOSÉ",
    "Straße",
    "Αθήνας",
    "Ёлка",
    "أَحْمَد",
    "مدرسـة",
    "फ़िल्म",
    "ﬁne",
    "MK\u200b20",
    "１２３",
    "Đồng",
    "कल",
    "काल",
    "มา",
    "ม้า",
    "കാല",
    "か",
    "が",
    "क्ष\u200dमा",
    "İstanbul",
    "a\u202eb",
    "ΣΊΣΥΦΟΣ",
    "",
)


def test_the_database_folds_as_we_do(filled: Database) -> None:
    def work(connection: Connection) -> list[tuple[str, str, str]]:
        made = []
        for text in TEXTS:
            folded = connection.execute(sa.select(sa.func.samvad_fold(text))).scalar_one()
            made.append((text, folded, fold(text)))
        return made

    assert [one for one in filled.call(work) if one[1] != one[2]] == []


def _without_indexes(connection: Connection) -> None:
    trigrams.drop(connection)
    for table in trigrams.INDEXES:
        connection.exec_driver_sql(f"DROP INDEX {folded_search.INDEX}{table}")
