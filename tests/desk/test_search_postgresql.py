"""Search on PostgreSQL: trigram indexes where the extension is there, the same finds without."""

from __future__ import annotations

from collections.abc import Iterator

import desk_seed as seed
import pytest
from sqlalchemy.engine import Connection

from bot.database import Database
from bot.desk import notes, search, search_index, trigrams


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
        ("CAMIÓN", ["es"]), ("josé mi", ["es"]), ("ได้รับ", ["th"]), ("المبلغ", ["ar"]),
        ("courier", ["th"]), ("100%_", ["es"]), ("100__", []), ("camión أحمد", []), ("", []),
    ],
)  # fmt: skip
def test_texts_notes_and_names_are_found(
    filled: Database, indexed: bool, query: str, found: list[str]
) -> None:
    if not indexed:
        filled.call(trigrams.drop)
    assert filled.call(lambda c: search.conversations(c, query)) == found


def test_a_search_reads_the_index_instead_of_all_texts(filled: Database) -> None:
    def plan(connection: Connection) -> str:
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        query = "EXPLAIN SELECT conversation FROM messages WHERE text ILIKE '%%camión%%'"
        return "\n".join(row[0] for row in connection.exec_driver_sql(query))

    assert f"{trigrams.PREFIX}messages" in filled.call(plan)


def test_the_index_of_sqlite_has_nothing_to_do_here(filled: Database) -> None:
    filled.call(search_index.prepare)
    assert not filled.call(search_index.behind)


def test_without_the_extension_the_schema_comes_up_all_the_same(
    filled: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trigrams, "EXTENSION", "no_such_extension")
    filled.call(trigrams.drop)
    filled.call(trigrams.create)
    assert filled.call(lambda c: search.conversations(c, "camión")) == ["es"]
