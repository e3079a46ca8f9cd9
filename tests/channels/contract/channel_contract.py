"""What every channel keeps to, whoever its vendor is; run for each channel of the registry."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import MISSING, fields, replace
from pathlib import Path
from typing import Any

import builders
import pytest
import redis.asyncio
import yaml
from aiohttp.test_utils import TestClient, TestServer
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from recorded import Recorded

from bot.processes.ingress import make_app
from bot.settings import Settings, names
from bot.stores import redis_keys
from bot.streams.messages import Inbound, Outbound, QuickReply, conversation_id
from channels import registry
from channels.base import Channel
from channels.kit.agent_typing import ShowsTyping
from channels.kit.reading import BODY_BYTES

ROOT = Path(__file__).parents[3]
LOCALES = sorted((ROOT / "bot/desk/locales").glob("*.yml"))


@asynccontextmanager
async def ingress(
    settings: Settings, part: Any, redis_url: str
) -> AsyncIterator[TestClient[Any, Any]]:
    """The ingress with a channel on."""
    own = replace(settings, redis_url=redis_url).with_parts(part)
    async with TestClient(TestServer(make_app(own))) as http:
        yield http


async def kept(client: redis.asyncio.Redis, shards: int) -> list[Inbound]:
    """What the inbox holds."""
    found = []
    for shard in range(shards):
        for _, row in await client.xrange(redis_keys.inbox(shard)):
            found.append(Inbound.from_dict(json.loads(row["body"])))
    return found


class ChannelContract:
    """Tests of one channel; a subclass has the fixtures `channel` and `recorded`."""

    @pytest.fixture(autouse=True)
    def tables(self, settings: Settings, migrated: Path) -> None:
        """A database at the newest schema, where `settings` has it."""
        settings.state_dir.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(migrated, settings.state_dir / "samvad.sqlite3")

    async def test_a_message_is_in_the_inbox_once_it_is_answered(
        self,
        channel: Channel,
        recorded: Recorded,
        settings: Settings,
        redis_url: str,
        redis: redis.asyncio.Redis,
    ) -> None:
        async with ingress(settings, recorded.settings, redis_url) as http:
            assert (await recorded.say(http)).status == recorded.taken
        [inbound] = await kept(redis, settings.shards)
        assert (inbound.channel, inbound.text) == (channel.name, "where is my order")
        assert inbound.account
        assert inbound.vendor_user
        name = conversation_id(channel.name, inbound.account, inbound.vendor_user)
        assert inbound.conversation == name
        assert inbound.received_at > builders.NOW

    async def test_a_delivery_that_comes_again_is_kept_once(
        self,
        recorded: Recorded,
        settings: Settings,
        redis_url: str,
        redis: redis.asyncio.Redis,
    ) -> None:
        async with ingress(settings, recorded.settings, redis_url) as http:
            assert [(await recorded.say(http)).status for _ in "ab"] == [recorded.taken] * 2
        assert len(await kept(redis, settings.shards)) == 1

    async def test_what_somebody_else_sends_is_refused(
        self,
        recorded: Recorded,
        settings: Settings,
        redis_url: str,
        redis: redis.asyncio.Redis,
    ) -> None:
        async with ingress(settings, recorded.settings, redis_url) as http:
            answer = await recorded.forge(http)
            assert answer.status in (401, 403)
            assert (await answer.json())["error"]["code"]
        assert await kept(redis, settings.shards) == []

    async def test_what_is_no_message_is_no_error_of_ours_and_not_kept(
        self,
        recorded: Recorded,
        settings: Settings,
        redis_url: str,
        redis: redis.asyncio.Redis,
    ) -> None:
        assert recorded.unknown
        async with ingress(settings, recorded.settings, redis_url) as http:
            for shape in recorded.unknown:
                answer = await recorded.deliver(http, json.dumps(shape).encode())
                assert answer.status < 500, shape
            for body in (b"", b"{", b"[]", b'"x"', b"null", b"\xff", b"[" * 50_000):
                answer = await recorded.deliver(http, body)
                assert (answer.status, (await answer.json())["error"]["code"]) in (
                    (400, "not-json"),
                    (400, "wrong-type"),
                ), body[:10]
            large = b'{"a": "' + b"x" * BODY_BYTES + b'"}'
            assert (await recorded.deliver(http, large)).status == 413
        assert await kept(redis, settings.shards) == []

    async def test_while_a_needed_setting_is_missing_it_is_off_and_says_which(
        self, channel: Channel, settings: Settings, redis: redis.asyncio.Redis
    ) -> None:
        needed = [item for item in fields(channel.settings) if item.metadata.get("needed", False)]
        nothing = settings.with_parts(channel.settings())
        off = registry.off(nothing).get(channel.name, [])
        assert off == [item.metadata["env"] for item in needed]
        assert (channel in registry.on(nothing)) is not bool(needed)
        assert (channel.name in registry.make_clients(nothing, redis)) is not bool(needed)
        served = any(
            f"/webhooks/{channel.name}/" in resource.canonical
            for resource in make_app(nothing).router.resources()
        )
        assert served is not bool(needed)

    async def test_when_it_is_on_it_can_send(
        self,
        channel: Channel,
        recorded: Recorded,
        settings: Settings,
        redis: redis.asyncio.Redis,
    ) -> None:
        own = settings.with_parts(recorded.settings)
        assert channel in registry.on(own)
        client = registry.make_clients(own, redis)[channel.name]
        assert callable(client.send)
        assert isinstance(client, ShowsTyping) is bool(channel.typing_again_s)
        vendor = registry.make_files(own).get(channel.name)
        assert (vendor is None) is (channel.files is None)
        for opened in (client, vendor):
            if close := getattr(opened, "aclose", None):
                await close()

    def test_settings_have_their_own_names_and_defaults(self, channel: Channel) -> None:
        of_others = {
            name
            for owner in (Settings, *(c.settings for c in registry.CHANNELS if c is not channel))
            for name in names(owner)
        }
        assert names(channel.settings)
        assert not of_others & set(names(channel.settings))
        for item in fields(channel.settings):
            assert item.default is not MISSING or item.default_factory is not MISSING

    def test_every_rule_has_a_source(self, channel: Channel) -> None:
        rules = channel.limits.rules
        assert all(rule.source and rule.value > 0 for rule in rules)
        assert len({rule.what for rule in rules}) == len(rules)

    def test_no_word_and_no_button_is_lost_in_fitting(self, channel: Channel) -> None:
        @hypothesis_settings(max_examples=60, deadline=None)
        @given(
            st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=6000),
            st.lists(st.text(min_size=1, max_size=30).filter(str.strip), max_size=120),
        )
        def holds(text: str, titles: list[str]) -> None:
            check_fit(channel, text, titles)

        holds()

    def test_its_texts_are_there_in_all_languages(self, channel: Channel) -> None:
        if channel.texts is None:
            return
        texts = {p.stem: json.loads(p.read_text("utf-8")) for p in channel.texts.glob("*.json")}
        assert set(Settings().languages) <= set(texts)
        for language, entries in texts.items():
            assert entries.keys() == texts["en"].keys(), language
            assert all(isinstance(t, str) and t.strip() for t in entries.values()), language

    def test_its_page_tells_what_has_to_be_set(self, channel: Channel) -> None:
        page = (ROOT / channel.page).read_text("utf-8")
        needed = [f for f in fields(channel.settings) if f.metadata.get("needed", False)]
        assert [f.metadata["env"] for f in needed if f.metadata["env"] not in page] == []

    def test_it_has_a_name_for_people_and_one_for_addresses(self, channel: Channel) -> None:
        assert channel.name.isascii()
        assert channel.name.isalpha()
        assert channel.name.islower()
        assert channel.title.strip()
        assert [c.name for c in registry.CHANNELS].count(channel.name) == 1

    def test_what_it_costs_has_a_source(self, channel: Channel) -> None:
        costs = channel.costs
        assert costs.per_message >= 0
        if costs.per_message or costs.most_per_day is not None:
            assert costs.source
        assert bool(costs.per_message) == bool(costs.currency)


def named_at_the_desk(channel: Channel) -> list[str]:
    """Languages in which the desk has no word for a channel."""
    return [
        path.stem
        for path in LOCALES
        if channel.name not in yaml.safe_load(path.read_text("utf-8"))["channel"]
    ]


def check_fit(channel: Channel, text: str, titles: list[str]) -> None:
    """Everything that is said, and every choice, is in what would be sent."""
    buttons = tuple(QuickReply(f"id{n:014d}", title) for n, title in enumerate(titles))
    outbound = Outbound("m", "c", channel.name, "a", "u", text, quick_replies=buttons)
    parts = channel.fit(outbound)
    if not text.strip():
        return  # buttons stand under words; the bot sends none without
    said = "".join("".join(part.text.split()) for part in parts)
    assert "".join(text.split()) in said
    shown = [button.id for part in parts for button in part.buttons]
    for number, button in enumerate(buttons, 1):
        line = "".join(f"{number}. {button.title}".split())
        assert button.id in shown or line in said
    if any(rule.what == "text" for rule in channel.limits.rules):
        assert all(channel.limits.rule("text").fits(part.text) for part in parts)
