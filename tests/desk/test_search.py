"""Folding and the trigram index."""

import desk_seed as seed
import pytest
import sqlalchemy as sa
from desk_world import Desk
from sqlalchemy.engine import Connection

from bot.desk.conversation import notes
from bot.desk.people.scope import Scope
from bot.desk.search import find, index
from bot.language.normalise import fold
from bot.stores.tables import conversations, customers, messages


@pytest.mark.parametrize(
    ("typed", "written"),
    [
        ("jose", "JOSÉ"),
        ("strasse", "Straße"),
        ("αθηνα", "Αθήνα"),
        ("елка", "Ёлка"),
        ("احمد", "أَحْمَد"),
        ("مدرسه", "مدرسـة"),
        ("फिल्म", "फ़िल्म"),
        ("ﬁne", "fine"),
        ("mk20", "MK\u200b20"),
        ("１２３", "123"),
        ("đong", "Đồng"),
    ],
)
def test_what_people_leave_out_does_not_count(typed: str, written: str) -> None:
    assert fold(typed) == fold(written)


@pytest.mark.parametrize(
    ("one", "other"), [("कल", "काल"), ("มา", "ม้า"), ("കല", "കാല"), ("கல்", "கால்"), ("か", "が")]
)
def test_signs_that_make_another_word_stay(one: str, other: str) -> None:
    assert fold(one) != fold(other)


def search(desk: Desk, query: str) -> list[str]:
    def work(connection: Connection) -> list[str]:
        index.catch_up(connection)
        return find.conversations(connection, query)

    return desk.database.call(work)


@pytest.fixture
def filled(desk: Desk) -> Desk:
    def rows(connection: Connection) -> None:
        for ident, name, text in (
            ("es", "José Núñez", "¿Cuándo llega mi camión?"),
            ("th", "สมหญิง", "สินค้าที่ได้รับไม่ตรงกับที่สั่ง"),
            ("ar", "أحمد", "أُريدُ استرجاع المبلغ"),
        ):
            seed.conversation(connection, ident, name=name)
            seed.message(connection, ident, text)

    desk.database.call(rows)
    return desk


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("camion", ["es"]),
        ("NUNEZ", ["es"]),
        ("jose camión", ["es"]),
        ("ได้รับ", ["th"]),
        ("สม", ["th"]),
        ("اريد", ["ar"]),
        ("احمد المبلغ", ["ar"]),
        ("camion احمد", []),
        ("mi camion", ["es"]),
        ("xx camion", []),
        ('"camion"', []),
        ("", []),
        ("*", []),
        ("NEAR(a b)", []),
        ("text:camion", []),
    ],
)
def test_search_reads_every_script(filled: Desk, query: str, found: list[str]) -> None:
    assert search(filled, query) == found


def test_erased_and_changed_texts_cannot_be_found(filled: Desk) -> None:
    assert search(filled, "camion") == ["es"]
    filled.database.call(
        lambda c: c.execute(sa.delete(messages).where(messages.c.conversation == "es"))
    )
    filled.database.call(
        lambda c: c.execute(sa.update(messages).values(text="").where(messages.c.text != ""))
    )
    filled.database.call(lambda c: c.execute(sa.update(customers).values(name="")))
    for query in ("camion", "ได้รับ", "المبلغ", "José", "أحمد"):
        assert search(filled, query) == []
    left = filled.database.call(
        lambda c: c.exec_driver_sql("SELECT group_concat(text) FROM desk_search").scalar()
    )
    assert "camion" not in (left or "")


def test_a_customer_named_later_is_found_by_the_new_name_and_by_id(filled: Desk) -> None:
    for ident in ("page-1-4711", "page-1-4712"):
        filled.database.call(lambda c, ident=ident: seed.conversation(c, ident))
    assert search(filled, "page-1-4711") == ["page-1-4711"]
    _rename(filled, "page-1-4711", "Zoë Kant")
    assert search(filled, "zoe") == ["page-1-4711"]
    assert search(filled, "page-1-4711") == ["page-1-4711"]
    _rename(filled, "page-1-4711", "Xanthippe")
    assert search(filled, "zoe") == []
    assert search(filled, "xanthippe") == ["page-1-4711"]
    _rename(filled, "page-1-4711", "Xanthippe")
    assert not filled.database.call(index.behind), "the name it had costs nothing"


def test_a_merged_conversation_has_the_name_of_the_customer_that_is_kept(filled: Desk) -> None:
    for ident, name in (("page-1-4711", "Zoë Kant"), ("page-1-4712", "Xanthippe")):
        filled.database.call(lambda c, i=ident, n=name: seed.conversation(c, i, name=n))
    assert search(filled, "xanthippe") == ["page-1-4712"]
    merge = sa.update(conversations).where(conversations.c.id == "page-1-4712")
    filled.database.call(lambda c: c.execute(merge.values(customer_id="c-page-1-4711")))
    assert sorted(search(filled, "zoe")) == ["page-1-4711", "page-1-4712"]
    assert search(filled, "xanthippe") == []


def test_names_lost_by_the_trigger_of_before_come_back(filled: Desk) -> None:
    def as_before(connection: Connection) -> None:
        connection.exec_driver_sql("DROP TRIGGER desk_search_k_name")
        connection.exec_driver_sql(
            "CREATE TRIGGER desk_search_k_upd AFTER UPDATE OF name ON customers BEGIN"
            " DELETE FROM desk_search WHERE rowid IN (SELECT id FROM desk_search_rows"
            " WHERE source = 'name'); DELETE FROM desk_search_rows WHERE source = 'name'; END"
        )

    search(filled, "x")
    filled.database.call(as_before)
    _rename(filled, "es", "Zoë Kant")
    assert search(filled, "zoe") == []
    filled.database.call(index.prepare)
    assert search(filled, "zoe") == ["es"]
    _rename(filled, "es", "Xanthippe")
    assert search(filled, "xanthippe") == ["es"]
    assert search(filled, "zoe") == []


def _rename(desk: Desk, ident: str, name: str) -> None:
    change = sa.update(customers).where(customers.c.id == f"c-{ident}").values(name=name)
    desk.database.call(lambda c: c.execute(change))


def test_index_follows_new_rows_and_a_renumbering(filled: Desk) -> None:
    search(filled, "x")
    assert not filled.database.call(index.behind)
    filled.database.call(
        lambda c: c.execute(sa.delete(messages).where(messages.c.conversation == "th"))
    )
    with filled.database.engine.connect() as connection:
        raw = connection.connection.driver_connection
        assert raw is not None
        raw.execute("VACUUM")
    filled.database.call(lambda c: seed.message(c, "th", "เปลี่ยนสินค้า", id="fresh"))
    assert search(filled, "เปลี่ยน") == ["th"]
    assert search(filled, "camion") == ["es"]


def test_notes_are_found(filled: Desk) -> None:
    filled.database.call(lambda c: notes.add(c, "th", "u", "Courier señor", key="n" * 8))
    assert search(filled, "senor") == ["th"]


def test_index_takes_batch_after_batch(filled: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "BATCH", 2)
    filled.database.call(lambda c: [seed.message(c, "es", f"number-{n} here") for n in range(7)])
    rounds = 0
    while filled.database.call(index.behind):
        filled.database.call(index.catch_up)
        rounds += 1
        assert rounds < 20
    assert rounds >= 4
    assert search(filled, "number-6") == ["es"]


def test_a_rare_word_is_found_beside_a_common_one(
    filled: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(find, "MOST_OCCURRENCES", 3)

    def rows(connection: Connection) -> None:
        seed.message(connection, "ar", "refund please, MK-777")
        for number in range(9):
            seed.conversation(connection, f"more-{number}")
            seed.message(connection, f"more-{number}", "refund please")

    filled.database.call(rows)
    assert search(filled, "refund mk-777") == ["ar"]
    assert search(filled, "mk-777 refund") == ["ar"]


@pytest.fixture
def crowded(filled: Desk, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """Two common words in an old conversation of a small team; one of them in each later one."""
    monkeypatch.setattr(find, "MOST_OCCURRENCES", 3)

    def rows(connection: Connection) -> None:
        seed.conversation(connection, "both", team="small", last_message_at=1.0)
        seed.message(connection, "both", "refund of an order, mk 7")
        for number in range(8):
            word = "refund" if number % 2 else "order"
            seed.conversation(connection, f"more-{number}", team="big")
            seed.message(connection, f"more-{number}", f"{word} please")

    filled.database.call(rows)
    return filled


@pytest.mark.parametrize("query", ["order refund", "refund order", "order mk refund"])
def test_common_words_are_found_together(crowded: Desk, query: str) -> None:
    assert search(crowded, query) == ["both"]


@pytest.mark.parametrize("query", ["order", "refund order", "mk order", "or", "mk or"])
def test_what_others_see_crowds_out_nothing(
    crowded: Desk, monkeypatch: pytest.MonkeyPatch, query: str
) -> None:
    monkeypatch.setattr(find, "MOST", 1)
    search(crowded, "x")
    small = Scope("u-asha", frozenset({"small"}))
    assert crowded.database.call(lambda c: find.conversations(c, query, small)) == ["both"]


def test_a_word_said_often_in_one_conversation_does_not_lead(crowded: Desk) -> None:
    def rows(connection: Connection) -> None:
        seed.conversation(connection, "long")
        for number in range(5):
            seed.message(connection, "long", f"order again, {number}")
        for ident in ("both", "long"):
            seed.message(connection, ident, "mk-4711")

    crowded.database.call(rows)
    assert set(search(crowded, "order mk-4711")) == {"both", "long"}


@pytest.mark.parametrize(
    ("query", "found"), [("José", ["es"]), ("camión josé", ["es"]), ("100%", []), ("สินค้า", ["th"])]
)
def test_without_the_index_texts_are_searched_as_written(
    filled: Desk, monkeypatch: pytest.MonkeyPatch, query: str, found: list[str]
) -> None:
    monkeypatch.setattr(index, "supported", lambda _: False)
    assert filled.database.call(lambda c: find.conversations(c, query)) == found


def test_texts_folded_by_another_version_are_folded_again(filled: Desk) -> None:
    assert search(filled, "camion") == ["es"]

    def outdated(connection: Connection) -> None:
        connection.exec_driver_sql("UPDATE desk_search SET text = 'as another version folded it'")
        connection.exec_driver_sql(
            "UPDATE desk_search_marks SET done = 0 WHERE source = 'spelling'"
        )

    filled.database.call(outdated)
    filled.database.call(index.prepare)
    assert search(filled, "camion") == ["es"]
    filled.database.call(index.prepare)
    assert not filled.database.call(index.behind), "the same version keeps its index"
