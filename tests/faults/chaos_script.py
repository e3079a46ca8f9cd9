"""What the customers of the fault test say, what they must hear, and how it is delivered."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from vendors.graph_server import delivery, said, signed
from vendors.telegram_server import private

from bot.content.models import Content
from bot.streams.messages import conversation_id, message_id

FACEBOOK = "facebook"
TELEGRAM = "telegram"
PATIENCE_S = 5.0
"""What a vendor waits for our 200."""
ENTRIES = (
    "order-status",
    "refund-time",
    "payment-methods",
    "warranty",
    "opening-hours",
    "delivery-cost",
    "size-guide",
    "contact-phone",
    "cookies",
    "store-location",
    "contact-email",
    "order-history",
    "invoice",
    "discount-code",
    "return-policy",
)
PERSON = "I want to talk to a person"
COSTLY = ("order " * 400)[:1990]
"""As long as Messenger takes; anything may be said to it, once."""
LANGUAGES = ("en", "es", "hi")


@dataclass
class Message:
    """One message of a customer, and what became of it."""

    id: str
    text: str
    expected: str
    """What must be answered; empty: anything, once."""
    at: float = 0.0
    """Vendor's time."""
    number: int = 0
    """Telegram's update."""
    first_tried: float = 0.0
    accepted: float = 0.0
    """Unix seconds of our first 200."""
    done: asyncio.Event = field(default_factory=asyncio.Event, repr=False)


@dataclass
class Conversation:
    """A customer: groups of messages; those of a group are written and delivered at once."""

    channel: str
    account: str
    user: str
    language: str
    groups: list[list[Message]]
    leaves: bool
    """The last message asks for a person."""

    @property
    def id(self) -> str:
        return conversation_id(self.channel, self.account, self.user)

    @property
    def messages(self) -> list[Message]:
        return [message for group in self.groups for message in group]

    def our_id(self, message: Message) -> str:
        """Our name of a message."""
        told = f"{message.number}:message:{message.number}" if message.number else message.id
        return message_id(self.id, told)


def write(
    content: Content, count: int, messages: int, dice: random.Random, page: str, bot: str
) -> list[Conversation]:
    """Write `count` conversations of `messages` messages each."""
    found, update = [], 1000
    for place in range(count):
        channel = TELEGRAM if place % 8 == 7 else FACEBOOK
        language = LANGUAGES[place % len(LANGUAGES)]
        leaves = place % 10 == 0
        entries = dice.sample(ENTRIES, min(messages, len(ENTRIES)))
        lines = [
            Message(
                f"mid-{place}-{number}",
                content.by_id[entry].examples[language][0],
                content.by_id[entry].answers[language],
            )
            for number, entry in enumerate(entries)
        ]
        if language == "en" and place % 5 == 4:
            lines[-1] = Message(lines[-1].id, COSTLY, "")
        if leaves:
            lines.append(Message(f"mid-{place}-person", PERSON, ""))
            del lines[0]
        if channel == TELEGRAM:
            for line in lines:
                line.number, update = update, update + 1
        groups: list[list[Message]] = []
        while lines:
            size = dice.choice((1, 1, 1, 2, 3))
            if leaves:
                # Who asks for a person gets no further answers of the bot: nothing after that.
                size = max(1, min(size, len(lines) - 1))
            groups.append(lines[:size])
            del lines[:size]
        user = str(70_000 + place)
        account = bot if channel == TELEGRAM else page
        found.append(Conversation(channel, account, user, language, groups, leaves))
    return found


@dataclass
class Courier:
    """Brings messages to the ingresses as the vendors do: batched, doubled, until they are taken.

    Args:
        deliveries: HTTP requests wanted in all; duplicates make them up.
    """

    session: aiohttp.ClientSession
    ingresses: list[str]
    dice: random.Random
    secret: str
    bot: str
    messages: int
    deliveries: int
    made: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    _waiting: list[tuple[Conversation, Message]] = field(default_factory=list)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _left: int = 0

    def __post_init__(self) -> None:
        self._left = self.messages

    def hand_over(self, conversation: Conversation, message: Message, after_s: float) -> None:
        """Deliver a message after a while, and perhaps again and again."""
        self._spawn(self._bring(conversation, message, after_s))
        share = max(0.0, (self.deliveries - self.made) / max(1, self._left) - 1.0)
        self._left -= 1
        again = int(share) + (self.dice.random() < share % 1)
        for _ in range(again):
            late = self.dice.choice((0.0, 0.02, self.dice.uniform(0.1, 2), self.dice.uniform(1, 8)))
            self._spawn(self._bring(conversation, message, after_s + late))

    async def finished(self) -> None:
        """Wait until everything was taken, duplicates included."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _spawn(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _bring(self, conversation: Conversation, message: Message, after_s: float) -> None:
        await asyncio.sleep(after_s)
        if conversation.channel == TELEGRAM:
            await self._post([(conversation, message)])
            return
        # Now and then one delivery carries what several customers wrote.
        self._waiting.append((conversation, message))
        if self.dice.random() < 0.2 and len(self._waiting) < 5:
            await asyncio.sleep(0.03)
        batch, self._waiting = self._waiting, []
        if batch:
            await self._post(batch)
        else:
            await message.done.wait()

    async def _post(self, batch: list[tuple[Conversation, Message]]) -> None:
        conversation, first = batch[0]
        if conversation.channel == TELEGRAM:
            update = private(first.number, first.text, user=int(conversation.user))
            update["message"]["date"] = int(first.at)
            path = f"/webhooks/telegram/{self.bot}/webhook"
            body = json.dumps(update).encode()
            headers = {"X-Telegram-Bot-Api-Secret-Token": self.secret}
        else:
            path = "/webhooks/facebook/webhook"
            body = delivery(*(said(m.text, m.id, c.user, m.at) for c, m in batch))
            headers = signed(body)
        while True:
            now = time.time()
            for _, message in batch:
                message.first_tried = message.first_tried or now
            self.made += 1
            if await self._try(path, body, headers):
                break
            await asyncio.sleep(self.dice.uniform(0.2, 1.2))
        now = time.time()
        for _, message in batch:
            message.accepted = message.accepted or now
            message.done.set()

    async def _try(self, path: str, body: bytes, headers: dict[str, str]) -> bool:
        url = self.dice.choice(self.ingresses) + path
        timeout = aiohttp.ClientTimeout(total=PATIENCE_S)
        try:
            async with self.session.post(url, data=body, headers=headers, timeout=timeout) as told:
                await told.read()
                outcome = str(told.status)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            outcome = type(error).__name__
        if outcome != "200":
            self.refused[outcome] = self.refused.get(outcome, 0) + 1
        return outcome == "200"


async def talk(
    conversation: Conversation,
    courier: Courier,
    heard: Callable[[Message], bool],
    dice: random.Random,
    start_s: float,
) -> None:
    """Have a conversation: each group when the one before it was answered, or after a while."""
    await asyncio.sleep(start_s)
    for group in conversation.groups:
        now = time.time() - 0.3
        for place, message in enumerate(group):
            message.at = round(now + 0.08 * place, 3)
        order = dice.sample(group, len(group))
        for place, message in enumerate(order):
            courier.hand_over(conversation, message, place * dice.uniform(0.0, 0.03))
        for message in group:
            await message.done.wait()
        deadline = time.monotonic() + dice.uniform(2, 8)
        while time.monotonic() < deadline and not all(map(heard, group)):  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        await asyncio.sleep(dice.uniform(0.0, 0.5))
