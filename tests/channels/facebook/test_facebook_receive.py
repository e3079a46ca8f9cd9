"""What Meta delivers, through the ingress's own routes into a real inbox."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from vendors.graph_server import PAGE, GraphServer, delivery, echo, event, said, sent_files, signed

from bot.conversation import store
from bot.conversation.states import State
from bot.settings import Settings
from bot.stores import redis_keys
from bot.stores.database import Database
from bot.stores.tables import conversations, customers, events
from bot.streams.messages import Inbound, Outbound, conversation_id
from channels.facebook.payload import parse
from channels.facebook.routes import PATH
from channels.facebook.settings import FacebookSettings
from channels.kit.meta.receipts import Receipts
from channels.kit.meta.window import Windows

Hook = Any
CONVERSATION = conversation_id("facebook", PAGE, "501")
NOW = 1_700_000_000.0


async def test_the_handshake_returns_the_challenge_to_who_knows_the_token(hook: Hook) -> None:
    query = {"hub.mode": "subscribe", "hub.challenge": "158", "hub.verify_token": "verify-me"}
    answer = await hook.http.get(PATH, params=query)
    assert (answer.status, await answer.text()) == (200, "158")
    for wrong in (
        {**query, "hub.verify_token": "verify-mE"},
        {**query, "hub.mode": "x"},
        {},
        {**query, "hub.verify_token": "ü"},
    ):
        assert (await hook.http.get(PATH, params=wrong)).status == 403


async def test_every_event_of_a_batch_is_kept_in_the_order_of_its_time(hook: Hook) -> None:
    now = time.time()
    batch = [
        said("second", "m2", at=now - 5),
        said("first", "m1", at=now - 9),
        said("other person", "m3", user="502", at=now - 7),
    ]
    assert (await hook.deliver(*batch)).status == 200
    kept = await hook.kept()
    assert {i.text for i in kept} == {"first", "second", "other person"}
    assert [i.text for i in kept if i.vendor_user == "501"] == ["first", "second"]
    assert kept[0].conversation != kept[1].conversation or kept[0].vendor_user == "501"


async def test_a_repeated_delivery_is_kept_once(hook: Hook) -> None:
    for _ in range(3):
        await hook.deliver(said("hello", "m1"), said("again", "m2"))
    assert [i.text for i in await hook.kept()] == ["hello", "again"]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Hub-Signature-256": ""},
        {"X-Hub-Signature-256": "sha256="},
        {"X-Hub-Signature-256": "sha256=" + "0" * 64},
        {"X-Hub-Signature-256": "ü"},
        {"X-Hub-Signature": "sha1=" + "0" * 40},
        signed(b"another body"),
        signed(delivery(said("hello", "m1")), "another secret"),
    ],
)
async def test_a_wrong_signature_keeps_nothing(hook: Hook, headers: dict[str, str]) -> None:
    assert (await hook.post(delivery(said("hello", "m1")), headers)).status == 401
    assert await hook.kept() == []


async def test_the_signature_is_over_the_raw_bytes(hook: Hook) -> None:
    body = delivery(said("मेरा ऑर्डर", "m1")).replace(b'": ', b'":  ')
    assert (await hook.post(body)).status == 200
    assert (await hook.post(body.replace(b":  ", b": "), signed(body))).status == 401


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff", b'"x"', b"[" * 9999, b"9" * 9999])
async def test_signed_nonsense_is_400(hook: Hook, body: bytes) -> None:
    assert (await hook.post(body)).status == 400


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b'{"object": "instagram", "entry": [{"id": "1"}]}',
        b'{"object": "page"}',
        b'{"object": "page", "entry": 5}',
        delivery(event(optin={"ref": "x"})),
        delivery(event()),
        delivery(said("for another page", "m1"), page="999"),
        json.dumps(
            {"object": "page", "entry": [{"id": PAGE, "standby": [said("another app's", "m1")]}]}
        ).encode(),
        delivery(event(message={"mid": "m1"})),
        delivery(event(message={"text": "without mid"})),
    ],
)
async def test_what_is_no_message_to_us_is_taken_and_not_answered(hook: Hook, body: bytes) -> None:
    assert (await hook.post(body)).status == 200
    assert await hook.kept() == []


async def test_taps_postbacks_and_openings(hook: Hook) -> None:
    await hook.deliver(
        said("हाँ", "m1", quick_reply={"payload": "0123456789abcdef"}),
        event(postback={"title": "Yes", "payload": "fedcba9876543210", "mid": "m2"}),
        event(postback={"title": "Get Started", "payload": "samvad:start", "mid": "m3"}),
        event(referral={"ref": "winter", "source": "SHORTLINK", "type": "OPEN_THREAD"}),
        event(user="503", postback={"title": "old", "payload": "without-mid"}),
    )
    kept = await hook.kept()
    by = [(i.kind, i.tap, i.text) for i in kept if i.vendor_user == "501"]
    assert sorted(by) == sorted(
        [
            ("message", "0123456789abcdef", "हाँ"),
            ("message", "fedcba9876543210", "Yes"),
            ("start", "", ""),
            ("start", "", ""),
        ]
    )
    assert [i.tap for i in kept if i.vendor_user == "503"] == ["without-mid"]


async def test_a_menu_says_its_words_in_the_language_of_the_conversation(hook: Hook) -> None:
    shard = redis_keys.shard_of(CONVERSATION, hook.shards)
    copy = json.dumps({"state": "bot", "language": "th"})
    await hook.redis.set(redis_keys.owner(shard, CONVERSATION), copy)
    for n, key in enumerate(("person", "ml")):
        payload = {"title": "x", "payload": f"samvad:menu:{key}", "mid": f"m{n}"}
        await hook.deliver(event(postback=payload))
    assert [i.text for i in await hook.kept()] == [
        "ขอคุยกับเจ้าหน้าที่",
        "ദയവായി മലയാളത്തിൽ സംസാരിക്കൂ",
    ]


@pytest.mark.parametrize(
    ("attachment", "text"),
    [
        ({"type": "fallback", "payload": {"url": "https://x"}}, "🔗"),
        ({"type": "image", "payload": {}}, "🖼"),
        ({"type": "image", "payload": {"url": "https://x", "sticker_id": 369239263222822}}, "👍"),
        (
            {"type": "location", "payload": {"coordinates": {"lat": 18.5, "long": 73.8}}},
            "📍 18.50000, 73.80000",
        ),
        ({"type": "something-new"}, "📎"),
    ],
)
async def test_what_is_no_text_is_never_silence(hook: Hook, attachment: Any, text: str) -> None:
    await hook.deliver(event(message={"mid": "m1", "attachments": [attachment]}))
    assert [i.text for i in await hook.kept()] == [text]


async def test_files_are_named_for_the_worker_to_fetch(hook: Hook) -> None:
    photo = "https://scontent.xx.fbcdn.net/v/t1/1_n.jpg?oh=4&oe=5"
    files = (("image", photo), ("file", "https://cdn.fbsbx.com/a%2Fb/bill%E2%80%AEfdp.exe?x=1"))
    for _ in range(2):
        await hook.deliver(sent_files("m1", *files), sent_files("m2", files[0], text="look"))
    first, second = await hook.kept()
    assert (first.text, second.text) == ("", "look")
    assert [(a.kind, a.name, a.state) for a in first.attachments] == [
        ("image", "1_n.jpg", "fetching"),
        ("file", "billfdp.exe", "fetching"),
    ]
    assert first.attachments[0].source == photo
    assert "source" not in first.attachments[0].shown()
    assert len({a.id for m in (first, second) for a in m.attachments}) == 3


@pytest.mark.parametrize(
    "payload",
    [None, [], {"url": 7}, {"url": {"a": 1}}, {"url": "http://[::1"}, {"url": "\0\ud800"}],
)
async def test_attachments_of_any_shape_are_no_error(hook: Hook, payload: Any) -> None:
    attachments = [{"type": "image", "payload": payload}]
    answer = await hook.deliver(event(message={"mid": "m1", "attachments": attachments}))
    assert answer.status == 200
    assert len(await hook.kept()) == 1


async def test_what_the_customer_does_opens_the_window(
    hook: Hook, facebook_settings: Settings
) -> None:
    windows = Windows(facebook_settings.shards, hook.redis)
    at = time.time() - 100
    await hook.deliver(said("hello", "m1", at=at))
    assert await windows.last(CONVERSATION) == pytest.approx(at, abs=0.01)
    await hook.deliver(event(at=at + 50, reaction={"action": "react", "emoji": "❤", "mid": "x"}))
    assert await windows.last(CONVERSATION) == pytest.approx(at + 50, abs=0.01)
    await hook.deliver(said("hello", "m1", at=at))
    assert await windows.last(CONVERSATION) == pytest.approx(at + 50, abs=0.01), "a late one"
    assert len(await hook.kept()) == 1


async def test_receipts_mark_what_was_sent_before_them_once(
    hook: Hook, facebook_settings: Settings
) -> None:
    receipts = Receipts(facebook_settings.shards, hook.redis)
    now = time.time()
    for n in range(3):
        message = Outbound(f"o{n}", CONVERSATION, "facebook", PAGE, "501", "x")
        await receipts.sent(message, now - 30 + n * 10)
    shown = {"watermark": int((now - 15) * 1000)}
    for _ in range(2):
        await hook.deliver(event(delivery=shown))
    await hook.deliver(event(read=shown), event(delivery={"watermark": int((now - 14) * 1000)}))
    await hook.deliver(event(delivery={"watermark": int(now * 1000)}))
    rows = [(r["id"], r["delivery"]) for r in await hook.recorded("delivery")]
    assert rows == [
        ("o0", "delivered"),
        ("o1", "delivered"),
        ("o0", "read"),
        ("o1", "read"),
        ("o2", "delivered"),
    ]


@pytest.mark.parametrize(
    ("kinds", "after_s", "told"),
    [
        (["delivery"], 1.0, ["delivered"]),
        (["delivery"], 0.0, ["delivered"]),
        (["delivery", "read"], 1.0, ["read"]),
        (["delivery", "read"], -1.0, []),
    ],
)
async def test_a_receipt_that_overtakes_the_sender_counts(
    hook: Hook, facebook_settings: Settings, kinds: list[str], after_s: float, told: list[str]
) -> None:
    handed = int(time.time()) - 30
    for kind in kinds:
        await hook.deliver(event(**{kind: {"watermark": int((handed + after_s) * 1000)}}))
    message = Outbound("o1", CONVERSATION, "facebook", PAGE, "501", "x")
    await Receipts(facebook_settings.shards, hook.redis).sent(message, handed)
    rows = [(r["id"], r["delivery"]) for r in await hook.recorded("delivery")]
    assert rows == [("o1", state) for state in told]


async def test_what_is_noted_twice_was_handed_over_when_it_first_was(
    hook: Hook, facebook_settings: Settings
) -> None:
    message = Outbound("o1", CONVERSATION, "facebook", PAGE, "501", "x")
    handed = int(time.time()) - 30
    for late_s in (0, 20):
        await Receipts(facebook_settings.shards, hook.redis).sent(message, handed + late_s)
    await hook.deliver(event(delivery={"watermark": (handed + 1) * 1000}))
    assert [r["id"] for r in await hook.recorded("delivery")] == ["o1"]


def conversation_of(database: Database) -> Any:
    return database.look(lambda c: store.get(c, CONVERSATION))


async def test_a_person_in_the_page_inbox_takes_over_from_the_bot(
    hook: Hook, database: Database
) -> None:
    opening = Inbound("m0", CONVERSATION, "facebook", PAGE, "501", text="x", received_at=NOW)
    database.call(lambda c: store.open_for(c, opening, "hi"))
    for _ in range(2):
        assert (await hook.deliver(echo("I look into it", "e1", app_id="263902"))).status == 200
    taken = conversation_of(database)
    assert (taken.state, taken.owner, taken.cause) == (
        State.ASSIGNED,
        f"page-inbox:{PAGE}",
        "agent-takeover",
    )
    (words,) = await hook.recorded("message")
    assert (words["author"], words["text"], words["delivery"]) == (
        "agent",
        "I look into it",
        "sent",
    )
    kinds = database.look(lambda c: c.execute(sa.select(events.c.type)).scalars().all())
    assert sorted(kinds) == ["episode.started", "handoff.assigned", "handoff.requested"]
    assert [e["type"] for e in await hook.recorded("event")] == ["agent.replied"]


async def test_the_bot_does_not_come_back_because_an_old_echo_is_repeated(
    hook: Hook, database: Database
) -> None:
    await hook.deliver(echo("hello", "e1"))
    given_back = conversation_of(database)
    database.call(lambda c: store.change(c, given_back, State.BOT, key="back"))
    await hook.deliver(echo("hello", "e1"))
    assert conversation_of(database).state == State.BOT
    await hook.deliver(echo("one more thing", "e2"))
    assert conversation_of(database).state == State.ASSIGNED


async def test_a_person_who_writes_first_owns_the_conversation(
    hook: Hook, database: Database
) -> None:
    await hook.deliver(echo("your parcel is here", "e1"))
    assert conversation_of(database).state == State.ASSIGNED


async def test_a_desk_agents_conversation_stays_theirs(hook: Hook, database: Database) -> None:
    opening = Inbound("m0", CONVERSATION, "facebook", PAGE, "501", text="x", received_at=NOW)
    first = database.call(lambda c: store.open_for(c, opening, "hi"))
    database.call(lambda c: store.change(c, first, State.ASSIGNED, key="k", owner="asha"))
    await hook.deliver(echo("hello", "e1"))
    assert conversation_of(database).owner == "asha"
    assert len(await hook.recorded("message")) == 1


async def test_our_own_echoes_change_nothing(hook: Hook, database: Database) -> None:
    await hook.deliver(echo("answer", "e1", app_id=77, metadata="samvad:m1:0"))
    await hook.deliver(echo("sent by hand with our app", "e2", app_id=77))
    rows = database.look(lambda c: c.execute(sa.select(conversations)).all())
    assert rows == []


async def test_names_and_locales_are_asked_for_beside_the_message(
    hook: Hook, graph: GraphServer, database: Database
) -> None:
    graph.customers["501"] = {"first_name": "Asha", "last_name": "K", "locale": "hi_IN"}
    opening = Inbound("m0", CONVERSATION, "facebook", PAGE, "501", text="x", received_at=NOW)
    database.call(lambda c: store.open_for(c, opening, "en"))
    await hook.deliver(said("hello", "m1"))
    await hook.receiver.profiles.settled()
    await hook.deliver(said("hello again", "m2"))
    assert [i.locale for i in await hook.kept()] == ["", "hi_IN"]
    name = database.look(lambda c: c.execute(sa.select(customers.c.name)).scalar_one())
    assert name == "Asha K"
    shard = redis_keys.shard_of(CONVERSATION, hook.shards)
    assert "Asha" not in str(await hook.redis.get(redis_keys.seen(shard, "profile")))


async def test_without_the_permission_for_locales_the_name_is_still_asked_for(
    hook: Hook, graph: GraphServer, database: Database
) -> None:
    graph.knows_locale = False
    graph.customers["501"] = {"first_name": "Asha", "locale": "hi_IN"}
    opening = Inbound("m0", CONVERSATION, "facebook", PAGE, "501", text="x", received_at=NOW)
    database.call(lambda c: store.open_for(c, opening, "en"))
    await hook.deliver(said("hello", "m1"))
    await hook.receiver.profiles.settled()
    await hook.deliver(said("again", "m2"))
    name = database.look(lambda c: c.execute(sa.select(customers.c.name)).scalar_one())
    assert (name, [i.locale for i in await hook.kept()]) == ("Asha", ["", ""])


async def test_a_large_batch_is_taken(hook: Hook) -> None:
    batch = [said("x" * 900, f"m{n}", user=str(600 + n)) for n in range(30)]
    assert (await hook.deliver(*batch)).status == 200
    assert len(await hook.kept()) == 30


async def test_without_secrets_there_is_no_route(settings: Settings) -> None:
    from bot.processes.ingress import make_app
    from channels.registry import off

    assert not any("facebook" in r.canonical for r in make_app(settings).router.resources())
    assert off(settings)["facebook"] == [
        "FACEBOOK_APP_SECRET",
        "FACEBOOK_VERIFY_TOKEN",
        "FACEBOOK_PAGE_TOKENS",
    ]


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from([PAGE, "501", "samvad:start", "samvad:menu:person", "\ud800", 10**30]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "sender",
                    "recipient",
                    "id",
                    "timestamp",
                    "message",
                    "mid",
                    "text",
                    "quick_reply",
                    "payload",
                    "attachments",
                    "type",
                    "coordinates",
                    "lat",
                    "long",
                    "postback",
                    "title",
                    "referral",
                    "ref",
                    "delivery",
                    "read",
                    "watermark",
                    "reaction",
                    "is_echo",
                    "app_id",
                    "metadata",
                    "sticker_id",
                    "url",
                ]
            ),
            inner,
            max_size=6,
        )
    ),
    max_leaves=25,
)
VALID = [
    sent_files("m", ("image", "https://x.fbcdn.net/a.png"), ("file", "https://fbsbx.com/b")),
    said("hello", "m1", at=NOW),
    echo("hello", "e1"),
    event(at=NOW, read={"watermark": 5}),
    event(at=NOW, postback={"title": "x", "payload": "y", "mid": "m2"}),
    event(at=NOW, message={"mid": "m", "attachments": [{"type": "location", "payload": {}}]}),
]


def mutated(data: Any, path: list[int], value: Any) -> Any:
    """Put `value` somewhere into a valid event."""
    if not path or not isinstance(data, dict) or not data:
        return value
    key = sorted(data)[path[0] % len(data)]
    return {**data, key: mutated(data[key], path[1:], value)}


strange = st.one_of(
    anything,
    st.builds(
        mutated,
        st.sampled_from(VALID),
        st.lists(st.integers(0, 9), min_size=1, max_size=4),
        anything,
    ),
)


def around(events_: Any) -> dict[str, Any]:
    return {"object": "page", "entry": [{"id": PAGE, "messaging": events_}]}


@hypothesis_settings(max_examples=1500, deadline=None)
@given(st.one_of(st.lists(strange, max_size=3).map(around), anything.map(around)))
def test_no_payload_raises(data: dict[str, Any]) -> None:
    known = Settings().with_parts(FacebookSettings(page_tokens={PAGE: "t"}))
    for found in parse(data, known, NOW):
        if found.inbound:
            said_ = found.inbound.text or found.inbound.tap or found.inbound.attachments
            assert said_ or found.inbound.kind == "start"
            json.dumps(found.inbound.to_dict(), ensure_ascii=False).encode()


@hypothesis_settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.one_of(
        st.binary(max_size=60),
        st.lists(strange, max_size=3).map(lambda value: json.dumps(around(value)).encode()),
    )
)
async def test_no_delivery_is_answered_500(hook: Hook, data: bytes) -> None:
    assert (await hook.post(data)).status in (200, 400)
