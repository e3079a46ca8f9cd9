"""Writer of a Rasa 3.6 project like one of `rasa init`, from our English content.

Default pipeline and policies, a REST channel, a Redis tracker store, one custom action. Two ways
to write an FAQ are in use among Rasa's users, and both are here: one intent an entry (the way of
`rasa init`; a button's payload `/intent` works), or one retrieval intent with a response selector.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from bot.content.load import load_folder
from bot.content.models import PERSON, Content, Entry
from bot.content.texts import SystemTexts
from bot.settings import Settings
from bot.understanding.examples import load_dialogue_examples

INTENTS, RETRIEVAL = "intents", "retrieval"
LAYOUTS = (INTENTS, RETRIEVAL)
LANGUAGE = "en"
HANDOFF = "action_handoff"
EPOCHS = 100
"""What Rasa suggests."""
ASK_HUMAN = "ask_human"

CONFIG = """\
# The configuration Rasa 3.6.21 suggests (rasa/engine/recipes/config_files/default_config.yml).
recipe: default.v1
assistant_id: vanilla
language: en

pipeline:
  - name: WhitespaceTokenizer
  - name: RegexFeaturizer
  - name: LexicalSyntacticFeaturizer
  - name: CountVectorsFeaturizer
  - name: CountVectorsFeaturizer
    analyzer: char_wb
    min_ngram: 1
    max_ngram: 4
  - name: DIETClassifier
    epochs: EPOCHS
    constrain_similarities: true
  - name: EntitySynonymMapper
  - name: ResponseSelector
    epochs: EPOCHS
    constrain_similarities: true
  - name: FallbackClassifier
    threshold: 0.3
    ambiguity_threshold: 0.1

policies:
  - name: MemoizationPolicy
  - name: RulePolicy
  - name: UnexpecTEDIntentPolicy
    max_history: 5
    epochs: EPOCHS
  - name: TEDPolicy
    max_history: 5
    epochs: EPOCHS
    constrain_similarities: true
"""

ACTIONS = '''\
"""The one custom action: pass on to a person."""

from rasa_sdk import Action


class ActionHandoff(Action):
    def name(self):
        return "action_handoff"

    async def run(self, dispatcher, tracker, domain):
        dispatcher.utter_message(response="utter_handoff")
        return []
'''

# Dialogue intents of data/nlu and the system answer of domain.yml each gets.
_SMALL_TALK = {
    "greet": "utter_greet",
    "goodbye": "utter_goodbye",
    "thanks": "utter_thanks",
    "affirm": "utter_anything_else",
    "deny": "utter_anything_else",
    "smalltalk": "utter_smalltalk",
    "out_of_scope": "utter_out_of_scope",
    "nlu_fallback": "utter_clarify",
}


def write_project(
    folder: Path,
    *,
    layout: str,
    redis_port: int,
    action_port: int,
    epochs: int = EPOCHS,
    data_dir: Path = Path("data"),
) -> None:
    """Write the files of the project.

    Args:
        layout: `intents` or `retrieval`.
        epochs: Rounds of training of each component; fewer only for trying things out.
        redis_port: Loopback port of its own Redis server.
        action_port: Loopback port of the rasa-sdk action server.
    """
    content = load_folder(data_dir / "faq", Settings().languages)
    (folder / "actions").mkdir(parents=True, exist_ok=True)
    (folder / "data").mkdir(exist_ok=True)
    (folder / "config.yml").write_text(CONFIG.replace("EPOCHS", str(epochs)), "utf-8")
    (folder / "actions" / "__init__.py").write_text("", "utf-8")
    (folder / "actions" / "actions.py").write_text(ACTIONS, "utf-8")
    _write(folder / "credentials.yml", {"rest": None})
    _write(folder / "endpoints.yml", _endpoints(redis_port, action_port))
    _write(folder / "domain.yml", _domain(content, layout))
    _write(folder / "data" / "nlu.yml", _nlu(content, layout, data_dir))
    _write(folder / "data" / "rules.yml", _rules(content, layout))
    _write(folder / "data" / "stories.yml", _stories(content, layout))


def intent_of(entry_id: str, layout: str) -> str:
    """Return the intent of an entry; the payload of a button is this after a slash."""
    return f"faq/{entry_id}" if layout == RETRIEVAL else f"faq_{entry_id.replace('-', '_')}"


def utter_of(entry_id: str, layout: str) -> str:
    return f"utter_{intent_of(entry_id, layout)}"


def _endpoints(redis_port: int, action_port: int) -> Mapping[str, Any]:
    return {
        "action_endpoint": {"url": f"http://127.0.0.1:{action_port}/webhook"},
        "tracker_store": {"type": "redis", "url": "127.0.0.1", "port": redis_port, "db": 0},
    }


def _domain(content: Content, layout: str) -> Mapping[str, Any]:
    texts = SystemTexts.load(LANGUAGE)
    entries = [intent_of(entry.id, layout) for entry in content.entries]
    intents = ["faq"] if layout == RETRIEVAL else entries
    responses: dict[str, Any] = {
        name: [{"text": texts.render(name, LANGUAGE)}]
        for name in dict.fromkeys(_SMALL_TALK.values())
    }
    responses["utter_handoff"] = [{"text": "One moment, a person will take over."}]
    for entry in content.entries:
        responses[utter_of(entry.id, layout)] = [
            {"text": entry.answers[LANGUAGE], "buttons": _buttons(entry, content, layout)}
        ]
    return {
        "version": "3.1",
        "intents": [*intents, *(i for i in _SMALL_TALK if i != "nlu_fallback"), ASK_HUMAN],
        "responses": responses,
        "actions": [HANDOFF, *(["utter_faq"] if layout == RETRIEVAL else [])],
        "session_config": {"session_expiration_time": 60, "carry_over_slots_to_new_session": True},
    }


def _buttons(entry: Entry, content: Content, layout: str) -> list[dict[str, str]]:
    made = []
    for reply in entry.quick_replies:
        if reply.target == PERSON:
            made.append({"title": "Talk to a person", "payload": f"/{ASK_HUMAN}"})
        else:
            title = reply.title.get(LANGUAGE) or content.by_id[reply.target].title[LANGUAGE]
            made.append({"title": title, "payload": f"/{intent_of(reply.target, layout)}"})
    return made


def _nlu(content: Content, layout: str, data_dir: Path) -> Mapping[str, Any]:
    by_intent = {
        intent_of(entry.id, layout): list(entry.examples[LANGUAGE]) for entry in content.entries
    }
    for example in load_dialogue_examples(data_dir / "nlu"):
        if example.language == LANGUAGE and example.label in {*_SMALL_TALK, ASK_HUMAN}:
            by_intent.setdefault(example.label, []).append(example.text)
    return {
        "version": "3.1",
        "nlu": [
            {"intent": name, "examples": "".join(f"- {_plain(text)}\n" for text in texts)}
            for name, texts in by_intent.items()
        ],
    }


def _rules(content: Content, layout: str) -> Mapping[str, Any]:
    pairs = [*_SMALL_TALK.items(), (ASK_HUMAN, HANDOFF)]
    if layout == RETRIEVAL:
        pairs.append(("faq", "utter_faq"))
    else:
        pairs += [(intent_of(e.id, layout), utter_of(e.id, layout)) for e in content.entries]
    return {
        "version": "3.1",
        "rules": [
            {"rule": f"Answer {intent}", "steps": [{"intent": intent}, {"action": action}]}
            for intent, action in pairs
        ],
    }


def _stories(content: Content, layout: str) -> Mapping[str, Any]:
    """Yield a few paths, as `rasa init` has: a greeting, a question, one of its buttons, thanks."""

    def step(intent: str, action: str) -> list[dict[str, str]]:
        return [{"intent": intent}, {"action": action}]

    def asked(entry_id: str) -> list[dict[str, str]]:
        action = "utter_faq" if layout == RETRIEVAL else utter_of(entry_id, layout)
        return step(intent_of(entry_id, layout), action)

    stories = []
    for entry in content.entries[::6]:
        follow = next(r.target for r in entry.quick_replies if r.target != PERSON)
        steps = [
            *step("greet", "utter_greet"),
            *asked(entry.id),
            *asked(follow),
            *step("thanks", "utter_thanks"),
            *step("goodbye", "utter_goodbye"),
        ]
        stories.append({"story": f"About {entry.id}", "steps": steps})
    return {"version": "3.1", "stories": stories}


def _plain(text: str) -> str:
    """Remove brackets, which Rasa would read as entity annotations."""
    return text.replace("[", "").replace("]", "").replace("\n", " ")


def _write(path: Path, data: Mapping[str, Any]) -> None:
    path.write_text(yaml.dump(data, allow_unicode=True, sort_keys=False, width=1000), "utf-8")


def main() -> None:
    """Write the project into a folder, for training and inspecting by hand."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--layout", choices=LAYOUTS, default=INTENTS)
    parser.add_argument("--redis-port", type=int, default=6379)
    parser.add_argument("--action-port", type=int, default=5055)
    options = parser.parse_args()
    write_project(
        options.folder,
        layout=options.layout,
        redis_port=options.redis_port,
        action_port=options.action_port,
    )


if __name__ == "__main__":
    main()
