"""What Telegram delivers, through the ingress's own routes into a real inbox."""

from __future__ import annotations

import json
from typing import Any

import pytest
import redis.asyncio
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from structlog.testing import capture_logs
from vendors.telegram_server import BOT_ID, TOKEN, in_group, person, private, tapped, update

from bot.settings import Settings
from bot.stores import redis_keys
from bot.streams.messages import conversation_id
from channels.telegram.payload import parse
from channels.telegram.routes import SECRET_HEADER
from channels.telegram.settings import TelegramBot

Hook = Any
BOT = TelegramBot(TOKEN, "secret")


def read(data: Any, settings: Settings | None = None) -> Any:
    return parse(data, "MelaBot", BOT, settings or Settings(), 1_700_000_100.0)


async def test_a_message_is_kept_with_all_that_is_known(hook: Hook) -> None:
    assert (await hook.deliver(private(1, "मेरा ऑर्डर कहाँ है?"))).status == 200
    (kept,) = await hook.kept()
    assert (kept.text, kept.vendor_user, kept.account) == ("मेरा ऑर्डर कहाँ है?", "7", "MelaBot")
    assert (kept.name, kept.locale, kept.kind) == ("Asha K", "hi", "message")
    assert kept.conversation == conversation_id("telegram", "MelaBot", "7")
    assert kept.sent_at == 1_700_000_000.0


async def test_a_repeated_update_is_kept_once(hook: Hook) -> None:
    for _ in range(3):
        assert (await hook.deliver(private(5, "hello"))).status == 200
    await hook.deliver(private(6, "hello"))
    assert len(await hook.kept()) == 2


@pytest.mark.parametrize("secret", [None, "", "wrong", "s3cret_-B", "ü", "s3cret_-AA"])
async def test_a_wrong_secret_keeps_nothing(hook: Hook, secret: str | None) -> None:
    hook.headers = {} if secret is None else {SECRET_HEADER: secret}
    assert (await hook.deliver(private(1, "hello"))).status == 403
    assert await hook.kept() == []


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/webhooks/telegram/MelaBot/webhook", b"{", 400),
        ("/webhooks/telegram/MelaBot/webhook", b"[]", 400),
        ("/webhooks/telegram/MelaBot/webhook", b"\xff\xfe", 400),
        ("/webhooks/telegram/MelaBot/webhook", b"[" * 5000, 400),
        ("/webhooks/telegram/MelaBot/webhook", b"{}", 200),
        ("/webhooks/telegram/OtherBot/webhook", b"{}", 404),
    ],
)
async def test_what_cannot_be_read_keeps_nothing(
    hook: Hook, path: str, body: bytes, status: int
) -> None:
    hook.path = path
    assert (await hook.deliver(body)).status == status
    assert await hook.kept() == []


async def test_a_tap_is_answered_kept_and_answered_again_when_repeated(hook: Hook) -> None:
    for number in (1, 1, 2):
        hook.bot_api.queries.add("q1")
        await hook.deliver(tapped(number, "0123456789abcdef"))
    assert hook.bot_api.answered == ["q1"] * 3
    assert [inbound.tap for inbound in await hook.kept()] == ["0123456789abcdef"] * 2


async def test_an_old_tap_without_message_or_data_is_still_answered(hook: Hook) -> None:
    hook.bot_api.queries.add("q9")
    bare = update(9, callback_query={"id": "q9", "from": person(), "chat_instance": "x"})
    assert (await hook.deliver(bare)).status == 200
    assert hook.bot_api.answered == ["q9"]
    assert await hook.kept() == []


async def test_start_and_help_ask_for_a_greeting(hook: Hook) -> None:
    await hook.deliver(private(1, "/start ref_17"))
    await hook.deliver(private(2, "/help"))
    assert [(i.kind, i.text) for i in await hook.kept()] == [("start", "")] * 2


async def test_a_command_says_its_words_in_the_language_of_the_conversation(hook: Hook) -> None:
    await hook.deliver(private(1, "/person"))
    conversation = conversation_id("telegram", "MelaBot", "8")
    shard = redis_keys.shard_of(conversation, hook.shards)
    copy = json.dumps({"state": "bot", "language": "es"})
    await hook.redis.set(redis_keys.owner(shard, conversation), copy)
    await hook.deliver(private(2, "/person", user=8))
    await hook.deliver(private(3, "/ar", user=8))
    assert {i.text for i in await hook.kept()} == {
        "मुझे किसी इंसान से बात करनी है",
        "Quiero hablar con una persona",
        "من فضلك تحدث بالعربية",
    }


@pytest.mark.parametrize(
    ("text", "more", "heard"),
    [
        ("what a day", {}, None),
        ("@MelaBot where is my order", {}, "where is my order"),
        ("tell me @melabot, where is it", {}, "tell me  , where is it"),
        ("@MelaBotX where is it", {}, None),
        ("mail me at a@MelaBot", {}, None),
        ("/person@OtherBot", {}, None),
        ("where is it", {"reply_to_message": {"from": {"id": BOT_ID}}}, "where is it"),
        ("where is it", {"reply_to_message": {"from": {"id": 4}}}, None),
        (
            "where is it",
            {"entities": [{"type": "text_mention", "user": {"id": BOT_ID}}]},
            "where is it",
        ),
    ],
)
async def test_in_a_group_only_what_is_addressed_to_us_is_heard(
    hook: Hook, text: str, more: dict[str, Any], heard: str | None
) -> None:
    await hook.deliver(in_group(1, text, **more))
    assert [i.text for i in await hook.kept()] == ([heard] if heard else [])


async def test_people_in_a_group_have_conversations_of_their_own(hook: Hook) -> None:
    await hook.deliver(in_group(1, "@MelaBot a", user=7))
    await hook.deliver(in_group(2, "@MelaBot b", user=8))
    assert [i.vendor_user for i in await hook.kept()] == ["-100:7", "-100:8"]


async def test_a_group_that_moved_keeps_its_conversations(hook: Hook) -> None:
    await hook.deliver(in_group(1, "@MelaBot a"))
    moved = in_group(2, "")
    moved["message"]["migrate_to_chat_id"] = -1001234567890
    await hook.deliver(moved)
    await hook.deliver(in_group(3, "@MelaBot b", chat=-1001234567890))
    first, second = await hook.kept()
    assert first.conversation == second.conversation
    assert second.vendor_user == "-100:7"


async def test_an_edit_is_no_new_question_but_people_see_it(hook: Hook) -> None:
    def edited(number: int) -> dict[str, Any]:
        return update(number, edited_message=private(1, "I mean order 17")["message"])

    await hook.deliver(edited(2))
    assert await hook.kept() == []
    conversation = conversation_id("telegram", "MelaBot", "7")
    shard = redis_keys.shard_of(conversation, hook.shards)
    await hook.redis.set(redis_keys.owner(shard, conversation), json.dumps({"state": "assigned"}))
    await hook.deliver(edited(3))
    assert [i.text for i in await hook.kept()] == ["✏️ I mean order 17"]


async def test_a_live_location_is_one_message_however_far_it_moves(hook: Hook) -> None:
    conversation = conversation_id("telegram", "MelaBot", "7")
    shard = redis_keys.shard_of(conversation, hook.shards)
    await hook.redis.set(redis_keys.owner(shard, conversation), json.dumps({"state": "assigned"}))
    message = private(1, "")["message"]
    del message["text"]
    place = {"latitude": 18.5, "longitude": 73.8, "live_period": 900}
    await hook.deliver(update(1, message={**message, "location": place}))
    with capture_logs() as lines:
        for number in range(2, 5):
            moved = {**message, "location": {**place, "latitude": 18.5 + number / 100}}
            await hook.deliver(update(number, edited_message=moved))
    assert [i.text for i in await hook.kept()] == ["📍 18.50000, 73.80000"]
    assert {line.get("reason") for line in lines} == {"live-location"}


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ({"location": {"latitude": 18.52043, "longitude": 73.85674}}, "📍 18.52043, 73.85674"),
        ({"photo": [{"width": 1}]}, "🖼"),
        ({"photo": [{"file_id": "x"}], "caption": "broken cup"}, "broken cup"),
        ({"contact": {"phone_number": "+1"}}, "👤"),
        ({"sticker": {"emoji": "👍"}}, "👍"),
    ],
)
async def test_what_is_no_text_is_never_silence(hook: Hook, what: Any, text: str) -> None:
    data = private(1, "")
    del data["message"]["text"]
    data["message"].update(what)
    await hook.deliver(data)
    assert [i.text for i in await hook.kept()] == [text]


@pytest.mark.parametrize(
    ("what", "kind", "name", "source"),
    [
        (
            {
                "photo": [
                    {"file_id": "small", "width": 90},
                    {"file_id": "large", "width": 1280},
                    {"file_id": "middle", "width": 320},
                ]
            },
            "image",
            "image.jpg",
            "large",
        ),
        ({"voice": {"file_id": "x", "mime_type": "audio/ogg"}}, "audio", "audio.ogg", "x"),
        ({"video_note": {"file_id": "x"}}, "video", "video.mp4", "x"),
        (
            {"document": {"file_id": "x", "file_name": "../bill\u202efdp.exe", "file_size": 9}},
            "file",
            "billfdp.exe",
            "x",
        ),
        (
            {
                "document": {"file_id": "y", "mime_type": "image/png", "file_name": "a.png"},
                "caption": "look",
            },
            "image",
            "a.png",
            "y",
        ),
        ({"animation": {"file_id": "a"}, "document": {"file_id": "d"}}, "video", "video.mp4", "a"),
    ],
)
async def test_files_are_named_for_the_worker_to_fetch(
    hook: Hook, what: Any, kind: str, name: str, source: str
) -> None:
    data = private(1, "")
    del data["message"]["text"]
    data["message"].update(what)
    for _ in range(2):
        await hook.deliver(data)
    (kept,) = await hook.kept()
    (file,) = kept.attachments
    assert (file.kind, file.name, file.source, file.state) == (kind, name, source, "fetching")
    assert kept.text == what.get("caption", "")


@pytest.mark.parametrize(
    "data",
    [
        update(
            1,
            my_chat_member={
                "chat": {"id": 7, "type": "private"},
                "new_chat_member": {"status": "kicked"},
            },
        ),
        update(1, channel_post={"message_id": 1, "chat": {"id": -5, "type": "channel"}}),
        update(1, poll_answer={"poll_id": "5"}),
        private(1, "I am a bot", **{"from": person(is_bot=True)}),
        update(1),
        {"message": private(1, "no number")["message"]},
    ],
)
async def test_what_is_no_message_to_us_is_taken_and_not_answered(hook: Hook, data: Any) -> None:
    assert (await hook.deliver(data)).status == 200
    assert await hook.kept() == []


async def test_a_delivery_larger_than_the_ingress_takes_from_browsers_is_taken(hook: Hook) -> None:
    data = private(1, "x" * 4000)
    data["message"]["reply_markup"] = "y" * 8000
    assert (await hook.deliver(data)).status == 200
    assert len(await hook.kept()) == 1


async def test_text_longer_than_we_take_is_cut_not_refused(settings: Settings) -> None:
    found = read(private(1, "ab " * 3000))
    assert len(found.inbound.text) <= settings.max_text_chars
    assert found.inbound.text.endswith("…")


async def test_without_bots_there_is_no_route(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    from bot.processes.ingress import make_app
    from channels.registry import off

    paths = {r.canonical for r in make_app(settings).router.resources()}
    assert not any("telegram" in path for path in paths)
    assert off(settings)["telegram"] == ["TELEGRAM_BOTS"]


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["private", "group", "kicked", "/start", "@MelaBot", "\ud800", 10**30]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "update_id",
                    "message",
                    "edited_message",
                    "callback_query",
                    "my_chat_member",
                    "chat",
                    "from",
                    "id",
                    "type",
                    "text",
                    "caption",
                    "date",
                    "data",
                    "entities",
                    "user",
                    "reply_to_message",
                    "location",
                    "latitude",
                    "longitude",
                    "sticker",
                    "emoji",
                    "photo",
                    "new_chat_member",
                    "status",
                    "migrate_to_chat_id",
                    "first_name",
                    "language_code",
                    "message_id",
                    "message_thread_id",
                    "is_topic_message",
                    "is_bot",
                    "document",
                    "voice",
                    "file_id",
                    "file_name",
                    "mime_type",
                    "file_size",
                    "width",
                ]
            ),
            inner,
            max_size=6,
        )
    ),
    max_leaves=25,
)


def mutated(data: Any, path: list[int], value: Any) -> Any:
    """Put `value` somewhere into a valid update."""
    if not path or not isinstance(data, dict) or not data:
        return value
    key = sorted(data)[path[0] % len(data)]
    return {**data, key: mutated(data[key], path[1:], value)}


VALID = [
    private(1, "hello"),
    private(6, "", photo=[{"file_id": "x", "width": 9, "file_size": 5}]),
    private(7, "", document={"file_id": "x", "file_name": "a.png", "mime_type": "image/png"}),
    in_group(2, "@MelaBot hi"),
    tapped(3, "abc"),
    update(4, edited_message=private(1, "x")["message"]),
    update(
        5,
        my_chat_member={
            "chat": {"id": 7, "type": "private"},
            "new_chat_member": {"status": "kicked"},
        },
    ),
]


@hypothesis_settings(max_examples=1500, deadline=None)
@given(
    st.one_of(
        st.fixed_dictionaries(
            {"update_id": st.integers(0, 99)},
            optional={
                name: anything
                for name in (
                    "message",
                    "edited_message",
                    "callback_query",
                    "my_chat_member",
                    "channel_post",
                )
            },
        ),
        st.builds(
            mutated,
            st.sampled_from(VALID),
            st.lists(st.integers(0, 9), min_size=1, max_size=4),
            anything,
        ),
    )
)
def test_no_payload_raises(data: Any) -> None:
    if not isinstance(data, dict):
        return
    found = read(data)
    if found.inbound:
        said = found.inbound.text or found.inbound.tap or found.inbound.attachments
        assert said or found.inbound.kind == "start"
        json.dumps(found.inbound.to_dict(), ensure_ascii=False).encode()


@hypothesis_settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    data=st.one_of(
        st.binary(max_size=60),
        anything.map(lambda value: json.dumps(value).encode()),
        st.builds(
            mutated,
            st.sampled_from(VALID),
            st.lists(st.integers(0, 9), min_size=1, max_size=4),
            anything,
        ).map(lambda value: json.dumps(value).encode()),
    )
)
async def test_no_delivery_is_answered_500(hook: Hook, data: bytes) -> None:
    answer = await hook.http.post(hook.path, data=data, headers=hook.headers)
    assert answer.status in (200, 400)


async def test_agents_learn_that_a_customer_blocked_us_and_took_it_back(
    hook: Hook, redis: redis.asyncio.Redis, settings: Settings
) -> None:
    for number, status in ((1, "kicked"), (1, "kicked"), (2, "member")):
        chat = {"chat": {"id": 7, "type": "private"}, "new_chat_member": {"status": status}}
        await hook.deliver(update(number, my_chat_member=chat))
    conversation = conversation_id("telegram", "MelaBot", "7")
    record = redis_keys.record(redis_keys.shard_of(conversation, settings.shards))
    rows = [json.loads(fields["body"])["body"] for _, fields in await redis.xrange(record)]
    assert [row["type"] for row in rows] == ["contact.lost", "contact.lost", "contact.regained"]
    assert len({row["id"] for row in rows}) == 2, "the same update again is the same event"
    assert {row["conversation"] for row in rows} == {conversation}
