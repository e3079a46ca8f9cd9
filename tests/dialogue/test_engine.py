"""What we changed in Rasa's engine gives what Rasa's own would."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from rasa.core.channels.channel import UserMessage
from rasa.engine.constants import PLACEHOLDER_MESSAGE, PLACEHOLDER_TRACKER
from rasa.engine.loader import load_predict_graph_runner
from rasa.engine.runner.dask import DaskGraphRunner
from rasa.engine.storage.local_model_storage import LocalModelStorage
from rasa.model import get_latest_model
from rasa.shared.core.domain import Domain
from rasa.shared.core.events import ActionExecuted, UserUttered
from rasa.shared.core.trackers import DialogueStateTracker
from talk import CONTENT, ScriptedUnderstander, Talk

from bot.dialogue import runtime
from bot.dialogue.engine import CollectingChannel, Engine, PlainGraphRunner, Processor
from bot.dialogue.lock import InboxLock
from bot.errors import ConfigurationError
from bot.understanding.service import Knowledge

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def runners(
    trained_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, tuple[Any, Any]]:
    model = Path(str(get_latest_model(str(trained_model))))
    kinds = {"plain": PlainGraphRunner, "dask": DaskGraphRunner}
    return {
        name: load_predict_graph_runner(
            tmp_path_factory.mktemp(name), model, LocalModelStorage, kind
        )
        for name, kind in kinds.items()
    }


def _tracker(intent: str, domain: Domain) -> DialogueStateTracker:
    tracker = DialogueStateTracker("c", domain.slots)
    tracker.update_with_events(
        [ActionExecuted("action_listen"), UserUttered("", {"name": intent, "confidence": 1.0}, [])],
        domain,
    )
    return tracker


def test_the_plain_runner_predicts_what_dask_predicts_for_every_intent(
    runners: Mapping[str, tuple[Any, Any]], engine: Engine
) -> None:
    assert engine.domain is not None
    (metadata, _) = runners["plain"]
    seen = set()
    for intent in [*engine.domain.intents, "an unknown one"]:
        results = []
        for name in ("plain", "dask"):
            tracker = _tracker(intent, engine.domain)
            answer = runners[name][1].run(
                inputs={PLACEHOLDER_TRACKER: tracker}, targets=[metadata.core_target]
            )
            prediction = answer[metadata.core_target]
            results.append(
                (prediction.probabilities, prediction.policy_name, prediction.max_confidence_index)
            )
        assert results[0] == results[1], intent
        seen.add(results[0][2])
    assert len(seen) > 10, "different intents, different actions"


@pytest.mark.parametrize("text", ["where is my order", "order or refund", "/restart", "qwertz"])
def test_the_plain_runner_understands_what_dask_understands(
    runners: Mapping[str, tuple[Any, Any]], text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime, "understander", ScriptedUnderstander)
    monkeypatch.setattr(runtime, "knowledge", lambda: Knowledge(CONTENT, index=None))  # type: ignore[arg-type]
    read = []
    for name in ("plain", "dask"):
        metadata, runner = runners[name]
        messages = [UserMessage(text)]
        answer = runner.run(inputs={PLACEHOLDER_MESSAGE: messages}, targets=[metadata.nlu_target])
        read.append(
            [
                message.as_dict(only_output_properties=True)
                for message in answer[metadata.nlu_target]
            ]
        )
    assert read[0] == read[1]
    assert read[0][0]["intent"]["name"]


def test_nodes_run_once_and_after_what_they_need() -> None:
    ran: list[tuple[str, tuple[Any, ...]]] = []

    class Node:
        def __init__(self, name: str) -> None:
            self.name = name

        def __call__(self, *needs: Any) -> tuple[str, Any]:
            ran.append((self.name, needs))
            return self.name, self.name.upper()

    from rasa.engine.graph import GraphSchema, SchemaNode

    def node(needs: dict[str, str], *, is_target: bool = False) -> SchemaNode:
        return SchemaNode(
            needs=needs,
            uses=Node,
            constructor_name="create",
            fn="run",
            config={},
            is_target=is_target,
        )  # type: ignore[arg-type]

    schema = GraphSchema(
        {
            "end": node({"left": "a", "right": "b"}, is_target=True),
            "b": node({"x": "root"}),
            "a": node({"x": "root"}),
            "root": node({"in": "given"}),
            "unasked": node({"x": "root"}, is_target=True),
        }
    )
    runner = PlainGraphRunner(schema, {name: Node(name) for name in schema.nodes})  # type: ignore[misc]
    for _ in range(2):
        ran.clear()
        assert runner.run({"given": 5}, targets=["end"]) == {"end": "END"}
        assert ran == [
            ("root", (("given", 5),)),
            ("a", (("root", "ROOT"),)),
            ("b", (("root", "ROOT"),)),
            ("end", (("a", "A"), ("b", "B"))),
        ]


def test_the_engine_is_ours_and_lets_store_errors_through(engine: Engine) -> None:
    assert isinstance(engine.processor, Processor)
    assert type(engine.tracker_store).__name__ == "WindowStore", "no FailSafeTrackerStore around it"
    assert engine.tracker_store.domain is engine.domain
    with pytest.raises(ConfigurationError, match="tracker_store"):
        Engine._create_tracker_store(None, Domain.empty())


def test_without_a_model_the_start_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="make train"):
        Processor._load_model(tmp_path)


async def test_the_channel_only_collects() -> None:
    channel = CollectingChannel("webchat")
    message = {"text": "a\n\nb", "quick_replies": [{"title": "x"}]}
    await channel.send_response("c", message)
    message["text"] = "changed afterwards"
    assert channel.messages == [{"text": "a\n\nb", "quick_replies": [{"title": "x"}]}]
    assert channel.name() == "webchat"


async def test_nobody_waits_for_the_lock() -> None:
    lock = InboxLock()
    async with lock.lock("c") as first, lock.lock("c") as second:
        assert first.conversation_id == second.conversation_id == "c"


async def test_rasa_reads_and_writes_the_tracker_in_the_turn_only(
    talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One read, one write a message, and none of them touches a store."""
    calls: list[str] = []
    store = talk.engine.tracker_store
    for name in ("_read", "_write"):
        monkeypatch.setattr(store, name, lambda *_, n=name: calls.append(n))
    saved = store.save

    async def save(tracker: DialogueStateTracker) -> None:
        calls.append("save")
        await saved(tracker)

    monkeypatch.setattr(store, "save", save)
    await talk.say("hello")
    assert calls == ["save"]
    calls.clear()
    await talk.say("where is my order")
    assert calls == ["save"]
