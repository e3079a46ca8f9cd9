"""What strangers send: each becomes a message, or a refusal with a stable code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from bot.errors import BadRequest, TooLarge
from bot.settings import Settings
from bot.streams.messages import Inbound, message_id
from channels.kit.cleaning import clean, is_visible
from channels.webchat.server.receive import parse_message
from channels.webchat.server.session import session_of

SETTINGS = Settings(state_dir=Path("unused"))
SESSION = session_of("demo", "v1", 2_000_000_000.0)
NOW = 1_700_000_000.0


def parse(body: object) -> Inbound:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return parse_message(raw, SESSION, SETTINGS, NOW)


def test_typed_text_becomes_a_message_of_the_sessions_conversation() -> None:
    got = parse({"type": "message", "id": "a-1", "text": "मेरा ऑर्डर कहाँ है?", "locale": "hi-IN"})
    assert got == Inbound(
        id=message_id(SESSION.conversation, "a-1"),
        conversation=SESSION.conversation,
        channel="webchat",
        account="demo",
        vendor_user="v1",
        text="मेरा ऑर्डर कहाँ है?",
        sent_at=NOW,
        received_at=NOW,
        locale="hi-IN",
    )


def test_a_tap_carries_its_id_and_title() -> None:
    got = parse({"id": "a", "quick_reply": "q7", "text": "Yes"})
    assert (got.tap, got.text) == ("q7", "Yes")


def test_an_opened_chat_is_a_start_without_text() -> None:
    got = parse({"id": "start", "kind": "start", "text": "ignored"})
    assert (got.kind, got.text) == ("start", "")


def test_a_client_cannot_name_its_conversation() -> None:
    got = parse({"id": "a", "text": "x", "conversation": "webchat-other", "vendor_user": "other"})
    assert (got.conversation, got.vendor_user) == (SESSION.conversation, "v1")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "not-json"),
        (b"\xff\xfe", "not-json"),
        (b'{"id": "a", "text"', "not-json"),
        (b"[" * 50_000, "not-json"),
        (b"[]", "wrong-type"),
        (b"null", "wrong-type"),
        ({"text": "no id"}, "bad-id"),
        ({"id": "", "text": "x"}, "bad-id"),
        ({"id": "x" * 65, "text": "x"}, "bad-id"),
        ({"id": "../x", "text": "x"}, "bad-id"),
        ({"id": "a\n", "text": "x"}, "bad-id"),
        ({"id": 7, "text": "x"}, "wrong-type"),
        ({"id": "a", "text": ["x"]}, "wrong-type"),
        ({"id": "a", "text": {"$gt": ""}}, "wrong-type"),
        ({"id": "a", "quick_reply": True}, "wrong-type"),
        ({"id": "a", "text": "x", "kind": "admin"}, "bad-kind"),
        ({"id": "a", "quick_reply": "q" * 65}, "bad-quick-reply"),
        ({"id": "a", "quick_reply": "é"}, "bad-quick-reply"),
        ({"id": "a"}, "empty"),
        ({"id": "a", "text": " \n\t "}, "empty"),
        ({"id": "a", "text": "\u0000\u0007\u200d\u200b\u202e"}, "empty"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(body: object, code: str) -> None:
    with pytest.raises(BadRequest) as refused:
        parse(body)
    assert (refused.value.code, refused.value.status) == (code, 400)


def test_the_longest_text_is_taken_and_one_more_character_is_not() -> None:
    assert len(parse({"id": "a", "text": "ക" * 4000}).text) == 4000
    with pytest.raises(TooLarge) as refused:
        parse({"id": "a", "text": "ക" * 4001})
    assert refused.value.code == "text-too-long"


def test_a_body_of_100_kb_is_refused_before_it_is_read() -> None:
    with pytest.raises(TooLarge) as refused:
        parse(b"{" + b" " * 100_000 + b"}")
    assert refused.value.code == "body-too-large"


def test_cleaning_keeps_joiners_and_line_ends_and_drops_control_characters() -> None:
    assert clean("a\r\nb\rc\td\x00\x1b\x7f\x85e") == "a\nb\nc de"
    assert clean("ന്‍ क्‌ष") == "ന്‍ क्‌ष"
    assert clean("\u0627\u200f!") == "\u0627\u200f!"


def test_lone_surrogates_are_replaced() -> None:
    assert parse(b'{"id": "a", "text": "x\\ud800y"}').text == "x\ufffdy"
    parse(b'{"id": "a", "text": "x\\ud800y"}').text.encode()


def test_emoji_alone_and_a_thousand_marks_are_messages() -> None:
    assert parse({"id": "a", "text": "👍🏽"}).text == "👍🏽"
    assert len(parse({"id": "a", "text": "e" + "\u0301" * 1000}).text) == 1001


def test_bot_syntax_is_plain_text() -> None:
    assert parse({"id": "a", "text": '/faq{"a":1}'}).text == '/faq{"a":1}'


def test_a_zone_is_taken_where_it_is_one() -> None:
    assert parse({"id": "a", "text": "x", "zone": "America/Sao_Paulo"}).zone == "America/Sao_Paulo"
    assert parse({"id": "a", "text": "x", "zone": "../../etc/passwd"}).zone == ""
    assert parse({"id": "a", "text": "x", "zone": "UTC"}).zone == ""


def test_a_strange_locale_is_no_reason_to_refuse() -> None:
    assert parse({"id": "a", "text": "x", "locale": "<script>"}).locale == ""
    assert parse({"id": "a", "text": "x", "locale": "zh-Hant-TW"}).locale == "zh-Hant-TW"


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
patient = hypothesis_settings(
    deadline=None, max_examples=500, suppress_health_check=[HealthCheck.too_slow]
)
FIELDS = st.sampled_from(["id", "text", "quick_reply", "kind", "locale", "zone", "type"])


@patient
@given(st.dictionaries(FIELDS, JSON))
def test_any_object_is_a_message_or_a_refusal(data: dict[str, object]) -> None:
    try:
        got = parse(data)
    except BadRequest:
        return
    assert got.kind == "start" or got.tap or is_visible(got.text)
    json.dumps(got.to_dict(), ensure_ascii=False).encode()


@patient
@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_a_refusal(body: bytes) -> None:
    with pytest.raises(BadRequest):
        parse(body)
