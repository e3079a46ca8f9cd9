"""What strangers send: a clear refusal or a sensible answer, and the system goes on."""

from __future__ import annotations

import json
from typing import Any

import pytest
from running import System, Visitor, call

REST = "/webhooks/rest/webhook"
BIG = "x" * 100_000
DEEP = b'{"sender": "deep", "message": ' + b"[" * 30_000 + b"]" * 30_000 + b"}"

REFUSED: list[tuple[str, bytes, int, str]] = [
    ("empty", b'{"sender": "s", "message": ""}', 400, "empty"),
    ("blank", b'{"sender": "s", "message": " \\n\\t "}', 400, "empty"),
    ("control characters", b'{"sender": "s", "message": "\\u0000\\u0001\\u001b"}', 400, "empty"),
    ("nothing", b"", 400, "not-json"),
    ("no JSON", b"hello?", 400, "not-json"),
    ("no UTF-8", b'{"sender": "s", "message": "\xff\xfe"}', 400, "not-json"),
    ("a list", b"[1, 2]", 400, "wrong-type"),
    ("a number", b"5", 400, "wrong-type"),
    ("text is a number", b'{"sender": "s", "message": 5}', 400, "types"),
    ("text is a list", b'{"sender": "s", "message": ["hello"]}', 400, "types"),
    ("text is null", b'{"sender": "s", "message": null}', 400, "types"),
    ("sender is a number", b'{"sender": 1, "message": "hello"}', 400, "sender"),
    ("no sender", b'{"message": "hello"}', 400, "sender"),
    ("a tap that is an object", b'{"sender": "s", "quick_reply": {}}', 400, "types"),
    (
        "too long a text",
        json.dumps({"sender": "s", "message": "y" * 4001}).encode(),
        413,
        "text-too-long",
    ),
    ("nested deeply", DEEP, 400, "not-json"),
    ("100 kB", json.dumps({"sender": "s", "message": BIG}).encode(), 413, "body-too-large"),
]

TAKEN = {
    "emoji": "😀😀🔥",
    "combining marks": "e" + "\u0301" * 1000,
    "a lone surrogate": "hello \ud83d there",
    "control characters inside": "hel\u0000lo\u0007 there",
    "direction marks": "\u202ehello\u202c\u2066",
    "a slash command": "/restart",
    "a session start": "/session_start",
    "an intent": '/faq{"a":1}',
    "an entry": "/faq/order-status",
    "a slot": '/greet{"language":"de"}',
    "markup": "<script>alert(1)</script> {business} {{7*7}} ${HOME}",
    "SQL": "'; DROP TABLE conversations; --",
    "zero-width only beside a letter": "\u200b\u200da\u200b",
    "a number": "12345678901234567890",
    "punctuation": "??!!",
}


def is_alive(system: System) -> None:
    (_, answer) = system.rest(f"alive-{len(system.output)}-{id(object())}", "where is my order")
    assert answer["entry"] == "order-status"
    assert system.health()["ok"]


@pytest.mark.parametrize(
    ("body", "status", "code"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_rest_refuses_by_name(system: System, body: bytes, status: int, code: str) -> None:
    answer = call("POST", system.ingress + REST, body)
    assert (answer.status, answer.code) == (status, code), answer.content[:300]


@pytest.mark.parametrize("text", TAKEN.values(), ids=TAKEN)
def test_strange_texts_get_an_answer(system: System, who: str, text: str) -> None:
    replies = system.rest(who, text)
    assert replies[0]["utter"] == "utter_bot_intro"
    assert len(replies) >= 2
    assert all(reply["text"] for reply in replies)
    assert "49" not in replies[1]["text"]
    # As an intent or a command it would have been silent, or an apology.
    assert not any(reply["utter"] == "utter_apology" for reply in replies)
    assert replies[-1]["state"] == "bot"


def test_a_typed_command_is_plain_text(system: System, who: str) -> None:
    """Read as words it may mean something; as a command it would change slots or be silent."""
    answer = system.rest(who, "मेरा ऑर्डर अभी तक कहाँ पहुँचा है?")[-1]
    for text in ('/faq{"a":1}', '/change_language{"language":"es"}', "/faq/order-status"):
        for reply in system.rest(who, text):
            assert reply["utter"] != "utter_bot_intro"
            assert "entry" not in reply or reply["text"] != answer["text"]
            assert reply["language"] in ("hi", "en")
        system.rest(who, "cancel")


def webchat_cases() -> list[Any]:
    return [
        pytest.param({"id": "1", "text": ""}, 400, "empty", id="empty"),
        pytest.param({"id": "1", "text": "\u200b\u202e"}, 400, "empty", id="invisible"),
        pytest.param({"id": "1", "text": "\x00\x01"}, 400, "empty", id="control"),
        pytest.param({"id": "1", "text": 7}, 400, "wrong-type", id="number"),
        pytest.param({"id": "1", "text": {"a": 1}}, 400, "wrong-type", id="object"),
        pytest.param({"id": 1, "text": "hello"}, 400, "wrong-type", id="id-number"),
        pytest.param({"text": "hello"}, 400, "bad-id", id="no-id"),
        pytest.param({"id": "../../x", "text": "hello"}, 400, "bad-id", id="odd-id"),
        pytest.param({"id": "1", "kind": "delete"}, 400, "bad-kind", id="kind"),
        pytest.param({"id": "1", "quick_reply": "ü" * 20}, 400, "bad-quick-reply", id="tap"),
        pytest.param([1], 400, "wrong-type", id="list"),
        pytest.param(b"{", 400, "not-json", id="no-json"),
        pytest.param(b"", 400, "not-json", id="nothing"),
        pytest.param(DEEP, 400, "not-json", id="deep"),
        pytest.param({"id": "1", "text": BIG}, 413, "body-too-large", id="100kB"),
        pytest.param({"id": "1", "text": "y" * 4001}, 413, "text-too-long", id="too-long"),
    ]


@pytest.fixture(scope="module")
def visitor(system: System) -> Visitor:
    return Visitor(system)


@pytest.mark.parametrize(("body", "status", "code"), webchat_cases())
def test_the_widget_is_refused_by_name(visitor: Visitor, body: Any, status: int, code: str) -> None:
    answer = visitor.post("message", body)
    assert (answer.status, answer.code) == (status, code), answer.content[:300]


def forged(token: str) -> list[str]:
    payload, _, signature = token.partition(".")
    other = "A" if payload[5] != "A" else "B"
    changed = f"{payload[:5]}{other}{payload[6:]}.{signature}"
    return ["", "x", "x.y", token + "x", payload + ".", changed, "." + signature, "é.é", "a" * 5000]


def test_a_forged_session_reads_and_writes_nothing(system: System, visitor: Visitor) -> None:
    for token in forged(visitor.token):
        header = {"Authorization": f"Bearer {token}".encode().decode("latin-1")}
        base = f"{system.ingress}/webhooks/webchat"
        for method, path, body in (
            ("POST", "/message", {"id": "1", "text": "hello"}),
            ("GET", "/history", None),
            ("GET", "/poll", None),
        ):
            answer = call(method, base + path, body, headers=header)
            assert (answer.status, answer.code) == (401, "not-authenticated"), (token[:40], path)


def test_a_stranger_cannot_tap_another_ones_button(system: System, visitor: Visitor) -> None:
    _, answer = Visitor(system).ask("where is my order", 2)
    stranger = Visitor(system)
    stranger.send(quick_reply=answer["quick_replies"][0]["id"])
    replies = stranger.wait(2)
    assert replies[1]["text"] != ""
    assert "quick_replies" in replies[1], "a way on is offered"
    published = {
        row[0]
        for row in system.sql(
            "select entry from messages where conversation = ?", stranger.conversation
        )
    }
    assert published <= {""}


@pytest.mark.parametrize("cursor", ["x", "1", "0-0; DROP", "9" * 30 + "-1", "-1-1"])
def test_a_bad_cursor_is_refused(visitor: Visitor, cursor: str) -> None:
    answer = visitor.get("poll", f"?after={cursor.replace(' ', '%20')}")
    assert (answer.status, answer.code) == (400, "bad-cursor")


def test_other_methods_and_paths_are_refused(system: System) -> None:
    for method, path in (
        ("GET", REST),
        ("PUT", REST),
        ("GET", "/webhooks/nowhere"),
        ("POST", "/conversations/x/tracker"),
        ("GET", "/webchat/static/x/..%2f..%2f..%2fpyproject.toml"),
        ("GET", "/model/parse"),
    ):
        assert call(method, system.ingress + path).status in (404, 405), path


def test_the_rest_channel_is_for_this_machine_only(system: System) -> None:
    body = {"sender": "s", "message": "hello"}
    for header in ("X-Forwarded-For", "Forwarded", "X-Real-IP"):
        answer = call("POST", system.ingress + REST, body, headers={header: "203.0.113.9"})
        assert (answer.status, answer.code) == (403, "loopback-only")


def test_afterwards_the_system_is_well_and_the_logs_are_clean(system: System, who: str) -> None:
    """Last in this file: looks at what all of the above left behind."""
    word = "Zwölfelpatronenquark"
    system.rest(who, f"{word} where is my order")
    visitor = Visitor(system)
    visitor.ask(f"{word} I want to talk to a person", 2)
    is_alive(system)
    logs = {path.name: path.read_text("utf-8", "replace") for path in system.logs.iterdir()}
    assert {name.split(".")[0].split("@")[0] for name in logs} >= {"engine-0", "ingress", "sender"}
    for name, text in logs.items():
        assert "Traceback" not in text, (name, text[text.index("Traceback") - 300 :][:3000])
        assert word not in text, name
        assert word.encode("unicode_escape").decode() not in text, name
    assert "message.handled" in "".join(logs.values())
    assert word not in system.output


def test_a_refusal_is_logged_with_its_code(system: System, visitor: Visitor) -> None:
    visitor.post("message", {"id": "1", "kind": "delete"})
    log = "".join(path.read_text("utf-8") for path in system.logs.glob("ingress*"))
    assert "code=bad-kind" in log
