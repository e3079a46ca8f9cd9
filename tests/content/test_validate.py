"""Every rule of an FAQ file: the message names file, entry and fix."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.content.load import load_folder
from bot.content.models import PERSON, Reply
from bot.errors import ContentError

LANGUAGES = ("en", "hi")


def _entry(id_: str = "refund-time", **more: Any) -> dict[str, Any]:
    made: dict[str, Any] = {
        "id": id_,
        "title": {"en": "Refund time", "hi": "रिफ़ंड"},
        "examples": {"en": [f"{id_} one", f"{id_} two", f"{id_} three"]},
        "answers": {"en": "Five days.", "hi": "पाँच दिन।"},
    }
    return {**made, **more}


def _write(folder: Path, *entries: Any, name: str = "refunds.yml", topic: str = "refunds") -> Path:
    document = {"topic": topic, "entries": list(entries)}
    path = folder / name
    path.write_text(yaml.safe_dump(document, allow_unicode=True, sort_keys=False), "utf-8")
    return path


def _problems(folder: Path) -> list[str]:
    with pytest.raises(ContentError) as refused:
        load_folder(folder, LANGUAGES)
    return refused.value.problems


def test_a_good_file_loads(tmp_path: Path) -> None:
    raw = _entry(
        examples={"en": [" one ", "two", "three"], "hi-Latn": ["paisa kab"]},
        channels={"facebook": {"en": "Five days. "}},
        quick_replies=[PERSON, {"entry": "other", "title": {"en": "Another"}}, "other"],
        policy="person",
        valid_from="2026-01-01",
        valid_until="2026-12-31",
        owner="asha",
        subtopic="cards",
    )
    _write(tmp_path, raw, _entry("other"))
    first, _ = load_folder(tmp_path, LANGUAGES).entries
    assert (first.id, first.topic, first.subtopic) == ("refund-time", "refunds", "cards")
    assert first.examples == {"en": ("one", "two", "three"), "hi-Latn": ("paisa kab",)}
    assert first.channels == {"facebook": {"en": "Five days."}}
    assert first.quick_replies == (Reply(PERSON), Reply("other", {"en": "Another"}), Reply("other"))
    assert (first.policy, first.valid_from, first.owner) == ("person", "2026-01-01", "asha")


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "unknown key": ({"answer": "x"}, "unknown key 'answer'; known are answers, channels"),
    "no title": ({"title": None}, "`title` must give a text for each language"),
    "title not by language": ({"title": "Refund"}, "`title` must give a text"),
    "no default title": ({"title": {"hi": "रिफ़ंड"}}, "no `title` in 'en' (the default); add it"),
    "title too long": ({"title": {"en": "x" * 21, "hi": "र"}}, "has 21 characters, at most 20 fit"),
    "no answer": ({"answers": {}}, "`answers` must give a text for each language"),
    "answer missing": ({"answers": {"en": "Five days."}}, "no `answers` in 'hi'; add it"),
    "answer blank": ({"answers": {"en": "x", "hi": "  "}}, "no `answers` in 'hi'; add it"),
    "answer too long": (
        {"answers": {"en": "x" * 2001, "hi": "र"}},
        "has 2001 characters, at most 2000 fit",
    ),
    "answer not text": (
        {"answers": {"en": 5, "hi": "र"}},
        "`answers` in 'en' is not a text; put it in quotes",
    ),
    "control character": (
        {"answers": {"en": "a\u0007b", "hi": "र"}},
        "has control characters; remove them",
    ),
    "bad language": (
        {"answers": {"en": "x", "hi": "र", "Hindi": "y"}},
        "'Hindi' under `answers` is no language",
    ),
    "no examples": ({"examples": {}}, "`examples` must list questions by language"),
    "examples not a list": ({"examples": {"en": "one"}}, "must be a list of texts"),
    "example not text": (
        {"examples": {"en": ["a", "b", {"what": "c"}]}},
        "put those with : # ? or - in quotes",
    ),
    "example blank": ({"examples": {"en": ["a", "b", " "]}}, "must be a list of texts"),
    "too few examples": ({"examples": {"en": ["a"], "hi": ["b"]}}, "only 2 examples; write"),
    "example too long": (
        {"examples": {"en": ["a", "b", "c" * 301]}},
        "is longer than 300 characters",
    ),
    "examples in no language": (
        {"examples": {"English": ["a", "b", "c"]}},
        "'English' under `examples` is no language",
    ),
    "channel not by name": ({"channels": ["facebook"]}, "`channels` must name channels"),
    "channel without texts": (
        {"channels": {"facebook": "Five"}},
        "`channels.facebook` must give a text",
    ),
    "channel answer too long": (
        {"channels": {"facebook": {"en": "x" * 2001}}},
        "`channels.facebook` in 'en' has 2001",
    ),
    "quick replies no list": ({"quick_replies": "person"}, "must be a list of entry ids"),
    "quick reply a number": ({"quick_replies": [5]}, "quick reply 5 must be an entry id"),
    "quick reply without entry": (
        {"quick_replies": [{"title": {"en": "x"}}]},
        "needs `entry: <id>`",
    ),
    "quick reply title too long": (
        {"quick_replies": [{"entry": "person", "title": {"en": "x" * 21}}]},
        "`quick_replies.title` in 'en' has 21",
    ),
    "too many quick replies": ({"quick_replies": ["person"] * 12}, "at most 11 quick replies fit"),
    "quick reply to nothing": (
        {"quick_replies": ["order-stauts"]},
        "quick reply 'order-stauts' is no entry; write an id that exists, or `person`",
    ),
    "quick reply to itself": ({"quick_replies": ["refund-time"]}, "leads to itself; take it out"),
    "unknown policy": ({"policy": "human"}, "policy 'human' is unknown; write `person`"),
    "no date": ({"valid_from": "soon"}, "valid_from 'soon' is no date; write YYYY-MM-DD"),
    "dates the wrong way round": (
        {"valid_from": "2026-02-01", "valid_until": "2026-01-01"},
        "ends before it begins",
    ),
}


@pytest.mark.parametrize("rule", BAD)
def test_a_broken_rule_names_file_entry_and_fix(tmp_path: Path, rule: str) -> None:
    changes, said = BAD[rule]
    path = _write(tmp_path, _entry(**copy.deepcopy(changes)))
    problems = _problems(tmp_path)
    assert len(problems) == 1, problems
    assert problems[0].startswith(f"{path}, entry refund-time: ")
    assert said in problems[0]


@pytest.mark.parametrize("id_", [None, 5, "", "Refund", "refund_time", "refund--time", "faq/x"])
def test_a_bad_id_is_named_by_its_place(tmp_path: Path, id_: Any) -> None:
    path = _write(tmp_path, _entry("first"), {**_entry(), "id": id_})
    (problem,) = _problems(tmp_path)
    assert problem.startswith(f"{path}, entry 2: id {id_!r} must be lower-case words")


def test_an_id_has_a_longest_length(tmp_path: Path) -> None:
    _write(tmp_path, _entry("x" * 65))
    assert "longer than 64 characters; shorten it" in _problems(tmp_path)[0]


def test_an_entry_must_be_a_mapping(tmp_path: Path) -> None:
    path = _write(tmp_path, "refund-time")
    assert _problems(tmp_path) == [f"{path}, entry 1: must be a mapping that starts with `- id: …`"]


def test_an_id_taken_in_another_file_names_both(tmp_path: Path) -> None:
    first = _write(tmp_path, _entry(), name="a.yml")
    second = _write(tmp_path, _entry(), name="b.yml")
    assert f"{second}, entry refund-time: the id is taken in {first}; choose another" in _problems(
        tmp_path
    )


def test_an_example_in_two_entries_is_refused_whatever_its_case(tmp_path: Path) -> None:
    one = _entry("one", examples={"en": ["Where is it?", "b", "c"]})
    two = _entry("two", examples={"en": ["where is it", "e", "f"]})
    path = _write(tmp_path, one, two)
    assert _problems(tmp_path) == [
        f"{path}, entry two: example 'where is it' stands in one too; keep it where it belongs"
    ]


def test_an_example_twice_in_its_own_entry_is_fine(tmp_path: Path) -> None:
    _write(tmp_path, _entry(examples={"en": ["same", "Same?", "other"]}))
    assert len(load_folder(tmp_path, LANGUAGES).entries) == 1


@pytest.mark.parametrize("word", ["nlu", "responses", "stories", "rules"])
@pytest.mark.parametrize("indent", ["", "      "])
def test_a_line_rasa_would_train_on_is_refused_even_inside_an_answer(
    tmp_path: Path, word: str, indent: str
) -> None:
    path = _write(tmp_path, _entry())
    lines = path.read_text("utf-8").splitlines()
    lines.insert(2, f"{indent}# see below" if not indent else f"{indent}{word}: x")
    if not indent:
        lines.append(f"{word}: []")
    path.write_text("\n".join(lines), "utf-8")
    line = len(lines) if not indent else 3
    assert (
        f"{path}, line {line}: a line may not begin with `{word}:`, Rasa would train on it; "
        "put another word first"
    ) in _problems(tmp_path)


def test_a_file_that_is_no_yaml_names_line_and_column(tmp_path: Path) -> None:
    (tmp_path / "bad.yml").write_text("topic: x\nentries:\n  - id: 'open\n", "utf-8")
    assert f"{tmp_path / 'bad.yml'}: not valid YAML: line 4, column 1" in _problems(tmp_path)[0]


def test_a_day_no_month_has_is_told_like_any_other_fault(tmp_path: Path) -> None:
    path = _write(tmp_path, _entry(), _entry("other"))
    lines = path.read_text("utf-8").replace("- id: other", "- valid_until: 2026-02-30\n  id: other")
    path.write_text(lines, "utf-8")
    (told,) = _problems(tmp_path)
    assert "other" in told
    assert "valid_until '2026-02-30' is no date; write YYYY-MM-DD" in told


def test_dates_and_the_word_no_are_taken_as_written(tmp_path: Path) -> None:
    path = _write(tmp_path, _entry(valid_from="D", answers={"en": "A", "hi": "पाँच दिन।"}))
    text = path.read_text("utf-8").replace("valid_from: D", "valid_from: 2026-01-01")
    path.write_text(text.replace("en: A", "en: No"), "utf-8")
    (entry,) = load_folder(tmp_path, LANGUAGES).entries
    assert (entry.valid_from, entry.answers["en"]) == ("2026-01-01", "No")


@pytest.mark.parametrize(
    ("place", "again"),
    [("  answers:\n", "  examples:\n    en: [x, y, z]\n"), ("", "entries: []\n")],
)
def test_what_stands_twice_is_refused_where_it_stands(
    tmp_path: Path, place: str, again: str
) -> None:
    """YAML itself would keep the last and drop the first without a word."""
    path = _write(tmp_path, _entry())
    text = path.read_text("utf-8")
    path.write_text(text.replace(place, again + place, 1) if place else text + again, "utf-8")
    (told,) = _problems(tmp_path)
    assert told.startswith(f"{path}: not valid YAML: line ")
    assert told.endswith("stands here a second time; keep one of them")


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "topic: x\nentries: none\n", "entries:\n"])
def test_a_file_of_another_shape_is_told_what_to_write(tmp_path: Path, text: str) -> None:
    (tmp_path / "odd.yml").write_text(text, "utf-8")
    assert _problems(tmp_path) == [
        f"{tmp_path / 'odd.yml'}: write `topic: odd` and a list under `entries:`"
    ]


def test_a_file_that_is_not_utf_8_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "latin.yml").write_bytes(b"topic: caf\xe9\n")
    assert "save it as UTF-8" in _problems(tmp_path)[0]


def test_an_empty_folder_says_where_entries_go(tmp_path: Path) -> None:
    assert "put the FAQ entries there" in _problems(tmp_path)[0]


def test_all_faults_of_all_files_come_in_one_go(tmp_path: Path) -> None:
    _write(tmp_path, _entry("one", policy="x", owner="y"), name="a.yml")
    _write(tmp_path, _entry("two", valid_from="x"), name="b.yml")
    assert len(_problems(tmp_path)) == 2


def test_the_topic_defaults_to_the_file_name(tmp_path: Path) -> None:
    (tmp_path / "parcels.yml").write_text(
        yaml.safe_dump({"entries": [_entry()]}, allow_unicode=True), "utf-8"
    )
    assert load_folder(tmp_path, LANGUAGES).entries[0].topic == "parcels"
