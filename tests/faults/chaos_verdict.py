"""What the fault test found: every expected reply once, in order, nothing stuck."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import redis
import sqlalchemy as sa
from chaos_herd import Fault
from chaos_script import FACEBOOK, Conversation, Message
from chaos_vendors import Taken

from bot.stores import redis_keys
from bot.stores.database import Database
from bot.stores.tables import conversations, dead_letters, events, messages


@dataclass
class Verdict:
    """Counts, and the first of what was wrong in words."""

    counts: dict[str, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    swapped: int = 0
    """Pairs whose later message came first, and that were answered in the right order."""
    late: int = 0
    """Pairs whose earlier message came too late to be waited for; any order is right."""

    def add(self, what: str, told: str) -> None:
        self.counts[what] = self.counts.get(what, 0) + 1
        if self.counts[what] <= 5:
            self.wrong.append(f"{what}: {told}")

    @property
    def ok(self) -> bool:
        return not self.wrong


def judge_replies(
    verdict: Verdict,
    talks: Sequence[Conversation],
    taken: dict[str, list[Taken]],
    faults: Sequence[Fault],
    hold_s: float,
) -> None:
    """Compare what the vendors took with what each customer must hear.

    Args:
        taken: Messages by channel and customer (`facebook:123`), in the order they were taken.
    """
    verdict.counts.update({"replies": 0, "doubled, vendor cut off": 0, "doubled, sender died": 0})
    for talk in talks:
        arrived = taken.get(f"{talk.channel}:{talk.user}", [])
        first: dict[str, Taken] = {}
        answered: dict[str, Taken] = {}
        for one in arrived:
            key = one.metadata or one.text
            if key in first:
                _doubled(verdict, talk, first[key], one, faults)
                continue
            first[key] = one
            message = _answers(talk, one)
            if message is not None and message.id not in answered:
                answered[message.id] = one
                verdict.counts["replies"] += 1
            elif len(first) > 1:  # the first message of all is the bot's introduction
                verdict.add("unexpected", f"{talk.id} {one.text[:60]!r}")
        for message in talk.messages:
            if message.id not in answered:
                verdict.add("lost", f"{talk.id} {message.id} {message.text!r}")
        _order(verdict, talk, answered, hold_s)


def _answers(talk: Conversation, one: Taken) -> Message | None:
    """Find the message a reply answers."""
    for message in talk.messages:
        if message.expected and one.text.startswith(message.expected):
            if talk.channel == FACEBOOK and talk.our_id(message) not in one.metadata:
                continue
            return message
        if not message.expected and talk.channel == FACEBOOK:
            if talk.our_id(message) in one.metadata:
                return message
        elif not message.expected and not _known(talk, one):
            return message
    return None


def _known(talk: Conversation, one: Taken) -> bool:
    expected = [m.expected for m in talk.messages if m.expected]
    return one.text.startswith(tuple(expected)) or "bot" in one.text or "बॉट" in one.text


def _doubled(
    verdict: Verdict, talk: Conversation, before: Taken, again: Taken, faults: Sequence[Fault]
) -> None:
    if not before.answered:
        verdict.counts["doubled, vendor cut off"] += 1
        return
    # Who dies or sleeps between the vendor's taking a message and our noting it cannot know.
    excuse = any(
        fault.role == "sender"
        and fault.began < again.at
        and fault.ended > before.at - 1.0
        and fault.began > before.at - (3.0 if fault.kind == "kill" else 30.0)
        for fault in faults
    )
    if excuse:
        verdict.counts["doubled, sender died"] += 1
    else:
        verdict.add(
            "doubled",
            f"{talk.id} {again.metadata} {again.text[:40]!r} {again.at - before.at:.1f} s later",
        )


def _order(verdict: Verdict, talk: Conversation, answered: dict[str, Taken], hold_s: float) -> None:
    """Who is taken within the time a later message is held back is answered before it."""
    lines = [m for m in talk.messages if m.id in answered]
    for place, earlier in enumerate(lines):
        for later in lines[place + 1 :]:
            came_first = later.first_tried < earlier.first_tried
            if earlier.accepted > later.first_tried + hold_s:
                verdict.late += 1
            elif answered[earlier.id].at > answered[later.id].at:
                verdict.add(
                    "disordered",
                    f"{talk.id} {_times(earlier, answered)} after {_times(later, answered)}",
                )
            elif came_first:
                verdict.swapped += 1


def _times(message: Message, answered: dict[str, Taken]) -> str:
    moments = (message.at, message.first_tried, message.accepted, answered[message.id].at)
    return " ".join([message.id, *(f"{at % 1000:.3f}" for at in moments)])


def judge_stores(
    verdict: Verdict, talks: Sequence[Conversation], redis_url: str, sql_url: str, shards: int
) -> None:
    """Look for what is stuck in Redis, and for what SQL does not say as it was."""
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        for shard in range(shards):
            for key in (
                redis_keys.inbox(shard),
                redis_keys.outbox(shard),
                redis_keys.record(shard),
            ):
                if client.xlen(key):
                    verdict.add("stuck", f"{key}: {client.xlen(key)} rows")
            if left := client.hgetall(redis_keys.attempts(shard)):
                verdict.add("stuck", f"{redis_keys.attempts(shard)}: {left}")
            for role in ("engine", "sender", "recorder"):
                if not client.exists(redis_keys.lease(shard, role)):
                    verdict.add("stuck", f"nobody holds {redis_keys.lease(shard, role)}")
        for key in client.scan_iter(f"{redis_keys.PREFIX}:*:transition:*"):
            if client.ttl(key) < 0:
                verdict.add("stuck", f"{key} never ends")
    database = Database(sql_url, threads=1)
    database.look(lambda connection: _judge_sql(verdict, talks, connection))
    database.close()


def _judge_sql(
    verdict: Verdict, talks: Sequence[Conversation], connection: sa.engine.Connection
) -> None:
    if letters := connection.execute(sa.select(dead_letters.c.error)).scalars().all():
        verdict.add("dead letters", f"{len(letters)}: {letters[:3]}")
    rows = connection.execute(
        sa.select(
            messages.c.id,
            messages.c.conversation,
            messages.c.author,
            messages.c.delivery,
            messages.c.in_reply_to,
        ).order_by(messages.c.created_at, messages.c.id)
    ).all()
    heard = {row.id for row in rows if row.author == "customer"}
    sent = [row.id for row in rows if row.author != "customer" and row.delivery == "queued"]
    if sent:
        verdict.add("unsettled", f"{len(sent)} replies are queued for ever in SQL: {sent[:3]}")
    replied = Counter(row.in_reply_to for row in rows if row.in_reply_to)
    transcripts: dict[str, list[str]] = {}
    answers: dict[str, dict[str, None]] = {}
    for row in rows:
        if row.author == "customer":
            transcripts.setdefault(row.conversation, []).append(row.id)
        elif row.in_reply_to:
            answers.setdefault(row.conversation, {})[row.in_reply_to] = None
    for talk in talks:
        ids = [talk.our_id(message) for message in talk.messages]
        for one in ids:
            if one not in heard:
                verdict.add("not in SQL", f"{talk.id} {one}")
            if not 1 <= replied[one] <= 2:  # the first answer comes with an introduction
                verdict.add("replies in SQL", f"{talk.id} {one}: {replied[one]}")
        if len(transcripts.get(talk.id, [])) != len(ids):
            verdict.add("transcript", f"{talk.id}: {len(transcripts.get(talk.id, []))} messages")
        elif transcripts[talk.id] != list(answers.get(talk.id, {})):
            verdict.add("transcript", f"{talk.id}: not in the order of its answers")
    states = dict(
        connection.execute(sa.select(conversations.c.id, conversations.c.state)).tuples().all()
    )
    causes = dict(
        connection.execute(sa.select(conversations.c.id, conversations.c.cause_detail))
        .tuples()
        .all()
    )
    asked = connection.execute(
        sa.select(events.c.conversation).where(events.c.type == "handoff.requested")
    ).scalars()
    handoffs = Counter(asked)
    for talk in talks:
        wanted = "waiting" if talk.leaves else "bot"
        if states.get(talk.id) != wanted:
            why = causes.get(talk.id)
            verdict.add("state", f"{talk.id}: {states.get(talk.id)} instead of {wanted}: {why}")
        if handoffs[talk.id] != int(talk.leaves):
            verdict.add("handoffs", f"{talk.id}: {handoffs[talk.id]}")
