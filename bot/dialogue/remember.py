"""Last step of a turn: updates the context for the next one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from bot.conversation.store import Conversation
from bot.dialogue.context import Context
from bot.dialogue.decide import Choice
from bot.dialogue.hear import Heard
from bot.dialogue.word import INTRODUCTION
from bot.streams.messages import Inbound, Outbound


def heard(context: Context, message: Heard) -> Context:
    """Store the customer's language."""
    return context if message.belief is context.belief else replace(context, belief=message.belief)


def chosen(context: Context, choice: Choice) -> Context:
    """Store language and mood of a message that the bot answers."""
    return replace(
        context,
        belief=choice.belief,
        negative_mean=choice.negative_mean,
        negative_count=choice.negative_count,
    )


def files(context: Context, inbound: Inbound) -> Context:
    """Store when files came that the bot could not open, or that came with text."""
    return replace(context, files_at=inbound.received_at)


def noticed(context: Context, inbound: Inbound) -> Context:
    """Store when the customer was last sent a notice of the queue."""
    return replace(context, noticed_at=inbound.received_at)


def stint_of(conversation: Conversation) -> str:
    """Return the key of a stint, in which the bot introduces itself once."""
    return f"{conversation.episode_id}:{conversation.stint}"


def is_introduced(context: Context, conversation: Conversation) -> bool:
    """Tell whether the bot has introduced itself in this stint."""
    return context.introduced == stint_of(conversation)


def replied(context: Context, replies: Iterable[Outbound], conversation: Conversation) -> Context:
    """Store the buttons that were shown, and that the bot introduced itself."""
    for reply in replies:
        if reply.utter == INTRODUCTION:
            context = replace(context, introduced=stint_of(conversation))
        context = context.with_shown(reply.id, reply.quick_replies)
    return context


def answered(context: Context, choice: Choice, version: int) -> Context:
    """Count failures in a row, and store which answer the customer may rate.

    Args:
        version: Content version of the answer.
    """
    if choice.starts_over:
        return Context(
            belief=context.belief, introduced=context.introduced, episode=context.episode
        )
    has_failed = choice.decision is not None and choice.decision.failed
    if choice.hands_off:
        return replace(context, failures=0, answered="")
    return replace(
        context,
        failures=context.failures + 1 if has_failed else 0,
        answered=f"{choice.entry}@{version}" if choice.intent == "faq" else "",
    )
