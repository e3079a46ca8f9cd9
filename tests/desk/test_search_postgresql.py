"""Search on PostgreSQL: trigram indexes where the extension is there, the same finds without."""

from __future__ import annotations

from collections.abc import Iterator

import desk_seed as seed
import postgresql_server
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from bot.desk.conversation import notes
from bot.desk.people.scope import Scope
from bot.desk.search import find, folded_search, index
from bot.language.normalise import fold
from bot.stores import migrate
from bot.stores.database import Database

TEXT_TABLES = ("customers", "desk_notes", "messages")
"""Tables whose texts are searched, by name."""


@pytest.fixture
def filled(postgresql_url: str) -> Iterator[Database]:
    database = Database(postgresql_url, threads=1)
    database.call(_fill)
    yield database
    database.close()


def _fill(connection: Connection) -> None:
    for ident, name, text in (
        ("es", "José Núñez", "¿Cuándo llega MI camión? 100%_ok"),
        ("th", "สมหญิง", "สินค้าที่ได้รับไม่ตรงกับที่สั่ง"),
        ("ar", "أحمد", "أُريدُ استرجاع المبلغ"),
    ):
        seed.conversation(connection, ident, name=name)
        seed.message(connection, ident, text)
    notes.add(connection, "th", "u", "Courier called", key="n" * 8)


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


REFUSED = """
CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql
    AS $$ BEGIN RAISE EXCEPTION 'no % here', tg_tag; END $$;
CREATE EVENT TRIGGER refuse ON ddl_command_start WHEN TAG IN ('{tag}') EXECUTE FUNCTION refuse();
"""


@pytest.fixture
def refusing(
    request: pytest.FixtureRequest, postgresql: postgresql_server.Server
) -> Iterator[Database]:
    """A database that came up to the newest schema though it refuses a kind of statement."""
    name = postgresql.create()
    database = Database(postgresql.url(name), threads=1)
    database.call(lambda c: c.exec_driver_sql(REFUSED.format(tag=request.param).replace("%", "%%")))
    migrate.upgrade(postgresql.url(name))
    database.call(_fill)
    yield database
    database.close()
    postgresql.drop(name)


@pytest.mark.parametrize("refusing", ["CREATE EXTENSION"], indirect=True)
def test_without_the_extension_the_same_is_found(refusing: Database) -> None:
    assert refusing.call(folded_search.available)
    assert refusing.call(_trigrams) == []
    assert refusing.call(lambda c: find.conversations(c, "camion")) == ["es"]
    assert refusing.call(lambda c: find.conversations(c, "ได้รับ")) == ["th"]


@pytest.mark.parametrize("refusing", ["CREATE FUNCTION"], indirect=True)
def test_without_the_function_texts_are_compared_as_written(refusing: Database) -> None:
    assert not refusing.call(folded_search.available)
    assert refusing.call(_trigrams) == [], "the extension is made of functions, too"
    assert refusing.call(lambda c: find.conversations(c, "camión")) == ["es"]
    assert refusing.call(lambda c: find.conversations(c, "camion")) == [], "as written, then"


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
    "ഓര്\u0d4d\u200dഡര്\u200d",
    "എൻ്റെ എൻറെ എന്റെ",
    "हिन्दी सम्बन्ध हाँ",
    "डाॅक्टर अ\u200dॅप",
    "นำ้ เเล้ว น้ำำ",
    "𝓞𝓻𝓭𝓮𝓻 ᴏᴛᴘ 🅿 ❺",
    "ﻃﻠﺒﻲ ۱۲۳ یہ",
    "№ १२३ ๔๕",
    "it´s a '%' of 5:30",
    "ㅋㅋ 주문 ｶﾞｽ",
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


def _trigrams(connection: Connection) -> list[str]:
    """Names of the indexes for search."""
    names = "SELECT indexname FROM pg_indexes WHERE indexname LIKE 'ix_trigrams_%%' ORDER BY 1"
    return list(connection.exec_driver_sql(names).scalars())


def _without_indexes(connection: Connection) -> None:
    assert _trigrams(connection) == [f"ix_trigrams_folded_{table}" for table in TEXT_TABLES]
    for name in _trigrams(connection):
        connection.exec_driver_sql(f"DROP INDEX {name}")
