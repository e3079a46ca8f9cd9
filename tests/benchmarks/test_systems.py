"""What customers send to either system, and the project made for Rasa as it comes."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from benchmarks import big_content, desk
from benchmarks.publish import ENTRY, edited
from benchmarks.systems import System
from benchmarks.vanilla.project import LAYOUTS, write_project
from bot.content.load import load_folder
from bot.content.models import Content
from bot.content.validate import check_content
from bot.settings import Settings


@pytest.fixture(scope="module")
def real() -> Content:
    return load_folder(Path("data/faq"), Settings().languages)


def system(name: str) -> System:
    return System(name, "http://127.0.0.1:1/webhooks/rest/webhook", Path(), [])


def test_taps_go_to_entries_in_either_systems_own_way() -> None:
    entries = [{"payload": "q1", "entry": "a"}, {"payload": "q2", "entry": "b"}]
    run_samvad = [{"quick_replies": [*entries, {"payload": "q3", "entry": "", "action": "person"}]}]
    assert system("ours").tap("c", run_samvad, 3) == {
        "sender": "c",
        "message": "",
        "quick_reply": "q2",
    }
    rasa = [{"buttons": [{"payload": "/faq_a"}, {"payload": "/ask_human"}]}]
    assert system("vanilla").tap("c", rasa, 1) == {"sender": "c", "message": "/faq_a"}
    assert system("vanilla").tap("c", [{"text": "no buttons"}], 1) == {}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_vanilla_project_hangs_together(tmp_path: Path, real: Content, layout: str) -> None:
    write_project(tmp_path, layout=layout, redis_port=1, action_port=2)
    domain = yaml.safe_load((tmp_path / "domain.yml").read_text("utf-8"))
    nlu = yaml.safe_load((tmp_path / "data/nlu.yml").read_text("utf-8"))["nlu"]
    rules = yaml.safe_load((tmp_path / "data/rules.yml").read_text("utf-8"))["rules"]
    taught = {item["intent"].partition("/")[0] for item in nlu}
    assert taught == set(domain["intents"])
    ruled = {rule["steps"][0]["intent"] for rule in rules}
    assert ruled - {"nlu_fallback"} == set(domain["intents"])
    actions = {rule["steps"][1]["action"] for rule in rules}
    assert actions <= {*domain["responses"], *domain["actions"]}
    answers = {items[0]["text"] for items in domain["responses"].values()}
    assert {entry.answers["en"] for entry in real.entries} <= answers
    endpoints = yaml.safe_load((tmp_path / "endpoints.yml").read_text("utf-8"))
    assert endpoints["tracker_store"]["port"] == 1


def test_the_vanilla_project_is_the_same_every_time(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_project(tmp_path / name, layout=LAYOUTS[0], redis_port=1, action_port=2)
    for path in (tmp_path / "one").rglob("*.yml"):
        twin = tmp_path / "two" / path.relative_to(tmp_path / "one")
        assert path.read_bytes() == twin.read_bytes()


def test_made_content_passes_the_validator(real: Content) -> None:
    content = big_content.make_content(real, 200)
    assert len(content.entries) == 200
    assert check_content([("made.yml", entry) for entry in content.entries]) == []
    assert {e.topic for e in real.entries} < {e.topic for e in content.entries}


def test_an_edit_changes_one_answer_and_ten_examples(real: Content) -> None:
    once, first, ask_questions = edited(real, 0)
    twice, second, _ = edited(once, 1)
    before, after = real.by_id[ENTRY], twice.by_id[ENTRY]
    assert after.answers["en"] == f"{before.answers['en']} {second}"
    assert first in once.by_id[ENTRY].answers["en"]
    assert ask_questions in once.by_id[ENTRY].examples["en"]
    assert len(set(after.examples["en"]) - set(before.examples["en"])) == 10
    assert set(before.examples["en"]) < set(after.examples["en"])
    assert [e for e in twice.entries if e.id != ENTRY] == [e for e in real.entries if e.id != ENTRY]


def test_a_screen_shows_a_handoff_once_its_row_waits() -> None:
    def row(state: str) -> str:
        return rf'{{"type":"rows","rows":[{{"html":"<li data-id=\"c1\" data-state=\"{state}\""}}]}}'

    assert desk.shows_waiting(row("waiting"), "c1")
    assert not desk.shows_waiting(row("bot"), "c1")
    assert not desk.shows_waiting(row("waiting"), "c2")
