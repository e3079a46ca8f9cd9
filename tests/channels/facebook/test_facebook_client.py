"""Sending to a local Graph API that refuses what the real one refuses."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import builders
import pytest
import redis.asyncio
from facebook_settings import with_facebook
from vendors.graph_server import DAY, PAGE, GraphServer, Refused

from bot.errors import DeliveryFailed
from bot.settings import Settings
from bot.streams.messages import Outbound, QuickReply, conversation_id
from channels.facebook.client import FacebookClient
from channels.facebook.settings import FacebookSettings
from channels.kit.meta.receipts import Receipts
from channels.kit.meta.window import Windows, messaging_type
from channels.kit.pacing import Pace, Pacer
from channels.kit.vendor_http import VendorHttp

FAST = Pace("test-fast", 0.0)
PICTURE = "https://mela.example/agent.png"


@pytest.fixture
async def client(facebook_settings: Settings, redis: redis.asyncio.Redis) -> Any:
    made = FacebookClient(facebook_settings, redis, VendorHttp(2.0), pace=FAST)
    yield made
    await made.aclose()


def message(
    text: str = "नमस्ते", *titles: str, user: str = "501", n: int = 1, **more: Any
) -> Outbound:
    replies = tuple(QuickReply(f"{k:016x}", title, position=k) for k, title in enumerate(titles))
    return replace(
        builders.outbound(text, n=n),
        channel="facebook",
        vendor_user=user,
        conversation=conversation_id("facebook", PAGE, user),
        **{"account": PAGE, "quick_replies": replies, "in_reply_to": "m1", **more},
    )


async def test_an_answer_is_a_response_with_our_mark(
    client: FacebookClient, graph: GraphServer
) -> None:
    assert await client.send(message()) == "m_1"
    (sent,) = graph.sent
    assert sent["messaging_type"] == "RESPONSE"
    assert sent["message"]["text"] == "नमस्ते"
    assert sent["message"]["metadata"] == "samvad:ann-reply-1"


async def test_buttons_then_quick_replies_then_a_list(
    client: FacebookClient, graph: GraphServer
) -> None:
    await client.send(message("Choose", "a", "b", n=1))
    await client.send(message("Choose", "a", "b", "c", "x" * 20, n=2))
    await client.send(message("Choose", "x" * 21, n=3))
    await client.send(message("Choose", *(f"t{k}" for k in range(14)), n=4))
    first, second, third, fourth = (m["message"] for m in graph.sent)
    assert [b["payload"][-1] for b in first["attachment"]["payload"]["buttons"]] == ["0", "1"]
    assert [q["title"] for q in second["quick_replies"]] == ["a", "b", "c", "x" * 20]
    assert third["text"].endswith("1. " + "x" * 21)
    assert "quick_replies" not in fourth
    assert fourth["text"].endswith("14. t13")


@pytest.mark.parametrize("text", ["नमस्ते", "Sentence. " * 400], ids=["one part", "several"])
async def test_a_message_was_handed_over_before_messenger_passed_it_on(
    client: FacebookClient,
    graph: GraphServer,
    redis: redis.asyncio.Redis,
    facebook_settings: Settings,
    text: str,
) -> None:
    passed_on: list[int] = []
    original = graph._post_messages

    def pass_on(*call: Any) -> Any:
        answer = original(*call)
        if "message_id" in answer:
            passed_on.append(now_ms())
            while now_ms() == passed_on[-1]:
                pass  # the answer is on its way for a moment longer
        return answer

    graph._post_messages = pass_on  # type: ignore[method-assign]
    outbound = message(text)
    await client.send(outbound)
    receipts = Receipts(facebook_settings.shards, redis)
    for moment in passed_on[:-1]:
        assert await receipts.note(outbound.conversation, "delivered", moment / 1000) == 0
    assert await receipts.note(outbound.conversation, "delivered", passed_on[-1] / 1000 + 5e-4) == 1


def now_ms() -> int:
    return int(time.time() * 1000)


async def test_long_text_arrives_whole_in_order(client: FacebookClient, graph: GraphServer) -> None:
    text = " ".join(f"വാക്യം {n} തീർന്നു." for n in range(400))
    await client.send(message(text, "ok", "no", "maybe", "person", id="m1:0", author="bot"))
    assert len(graph.sent) > 2
    assert " ".join(m["message"]["text"] for m in graph.sent) == text
    assert graph.actions[0] == "mark_seen"
    assert graph.actions.count("typing_on") == len(graph.sent) - 1


@pytest.mark.parametrize(
    ("author", "asked", "age_s", "declared"),
    [
        ("bot", "m1", 0, {"messaging_type": "RESPONSE"}),
        ("automatic", "", DAY - 60, {"messaging_type": "UPDATE"}),
        ("agent", "", DAY - 60, {"messaging_type": "RESPONSE"}),
        ("agent", "", DAY + 60, {"messaging_type": "MESSAGE_TAG", "tag": "HUMAN_AGENT"}),
        ("agent", "", 7 * DAY - 60, {"messaging_type": "MESSAGE_TAG", "tag": "HUMAN_AGENT"}),
        ("agent", "", 7 * DAY + 60, None),
        ("automatic", "", DAY + 60, None),
        ("bot", "m1", DAY + 60, None),
        ("bot", "", None, {"messaging_type": "UPDATE"}),
    ],
)
def test_who_wrote_and_when_decides_the_type(
    author: str, asked: str, age_s: float | None, declared: dict[str, str] | None
) -> None:
    outbound = message(author=author, in_reply_to=asked)
    last = None if age_s is None else 1e9 - age_s
    if declared is None:
        with pytest.raises(DeliveryFailed) as failed:
            messaging_type(outbound, last, 1e9)
        assert (failed.value.reason, failed.value.permanent) == ("outside-window", True)
    else:
        assert messaging_type(outbound, last, 1e9) == declared


async def test_what_is_known_to_be_late_makes_no_call(
    client: FacebookClient,
    graph: GraphServer,
    facebook_settings: Settings,
    redis: redis.asyncio.Redis,
) -> None:
    outbound = message()
    await Windows(facebook_settings.shards, redis).note(
        outbound.conversation, time.time() - 2 * DAY
    )
    with pytest.raises(DeliveryFailed, match="outside-window"):
        await client.send(outbound)
    graph.wrote_at["501"] = time.time() - 2 * DAY
    await client.send(replace(outbound, author="agent"))
    assert [m.get("tag") for m in graph.sent] == ["HUMAN_AGENT"]


async def test_where_nothing_is_known_a_person_gets_the_tag_and_the_bot_a_refusal(
    client: FacebookClient, graph: GraphServer
) -> None:
    graph.wrote_at["501"] = time.time() - 2 * DAY
    with pytest.raises(DeliveryFailed) as failed:
        await client.send(message(n=1))
    assert (failed.value.reason, failed.value.permanent) == ("outside-window", True)
    await client.send(message(n=2, author="agent"))
    assert [m.get("tag") for m in graph.sent] == ["HUMAN_AGENT"]


async def test_agents_have_personas_made_once_and_found_again(
    facebook_settings: Settings, redis: redis.asyncio.Redis, graph: GraphServer
) -> None:
    own = with_facebook(facebook_settings, persona_picture=PICTURE)
    graph.personas = [{"id": str(n), "name": f"Old {n}"} for n in range(5)]
    for n in range(2):  # a second process finds what the first one made
        client = FacebookClient(own, redis, VendorHttp(2.0), pace=FAST)
        for k in range(2):
            await client.send(message(n=10 * n + k, author="agent", agent="Asha"))
        await client.aclose()
    await FacebookClient(own, redis, VendorHttp(2.0), pace=FAST).send(message(n=99))
    assert [p["name"] for p in graph.personas].count("Asha") == 1
    assert [m.get("persona_id") for m in graph.sent] == [graph.personas[-1]["id"]] * 4 + [None]


async def test_words_matter_more_than_a_persona(
    facebook_settings: Settings, redis: redis.asyncio.Redis, graph: GraphServer
) -> None:
    own = with_facebook(facebook_settings, persona_picture="http://not-https")
    client = FacebookClient(own, redis, VendorHttp(2.0), pace=FAST)
    await client.send(message(author="agent", agent="Asha"))
    await client.aclose()
    assert len(graph.sent) == 1


@pytest.mark.parametrize(
    ("refused", "reason", "permanent", "after"),
    [
        (Refused("This person isn't available", 551), "blocked", True, None),
        (Refused("No matching user found", 100, 2018001), "unknown-user", True, None),
        (Refused("(#100) something", 100), "refused", True, None),
        (Refused("Invalid OAuth access token.", 190), "not-authorised", False, None),
        (Refused("An unexpected error", 2, status=500), "vendor-error", False, None),
        (Refused("Temporary send message failure", 1200), "vendor-error", False, None),
        (Refused("(#613) Calls to this api have exceeded", 613), "rate-limited", False, 30.0),
        (Refused("(#10) outside of allowed window", 10), "outside-window", True, None),
    ],
)
async def test_what_can_never_succeed_is_told_apart(
    client: FacebookClient,
    graph: GraphServer,
    redis: redis.asyncio.Redis,
    refused: Refused,
    reason: str,
    permanent: bool,
    after: float | None,
) -> None:
    graph.failures = [refused]
    with pytest.raises(DeliveryFailed) as failed:
        await client.send(message())
    assert (failed.value.reason, failed.value.permanent) == (reason, permanent)
    assert failed.value.retry_after_s == after
    held = await Pacer(redis).take(FAST, PAGE)
    assert (held > 20) == (after is not None)


async def test_no_error_names_the_token(
    facebook_settings: Settings, redis: redis.asyncio.Redis
) -> None:
    own = with_facebook(facebook_settings, graph_url="http://127.0.0.1:9")
    client = FacebookClient(own, redis, VendorHttp(2.0), pace=FAST)
    with pytest.raises(DeliveryFailed) as failed:
        await client.send(message())
    await client.aclose()
    assert failed.value.reason == "unreachable"
    assert failed.value.__suppress_context__
    assert "page-token" not in repr(facebook_settings.of(FacebookSettings))


async def test_a_page_that_is_gone_is_permanent(client: FacebookClient) -> None:
    with pytest.raises(DeliveryFailed) as failed:
        await client.send(message(account="2"))
    assert (failed.value.reason, failed.value.permanent) == ("channel-off", True)


async def test_each_page_speaks_with_its_own_token(
    facebook_settings: Settings, redis: redis.asyncio.Redis, graph: GraphServer
) -> None:
    graph.pages["2002"] = "other-token"
    both = {**facebook_settings.of(FacebookSettings).page_tokens, "2002": "other-token"}
    own = with_facebook(facebook_settings, page_tokens=both)
    client = FacebookClient(own, redis, VendorHttp(2.0), pace=FAST)
    await client.send(message(n=1))
    await client.send(message(n=2, account="2002"))
    await client.aclose()
    assert [m["page"] for m in graph.sent] == [PAGE, "2002"]
