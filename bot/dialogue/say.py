"""Adds replies to a turn, with their events and what is remembered of them."""

from __future__ import annotations

from bot.dialogue import remember, turn_events
from bot.dialogue.answer import Output
from bot.dialogue.turn import Turn
from bot.dialogue.word import INTRODUCTION, ReplyFields, Wording


def say(turn: Turn, wording: Wording, *outputs: Output) -> None:
    """Add outputs as replies to a turn, in the present state of its conversation."""
    first = len(turn.replies)
    fields = ReplyFields(turn.inbound, turn.conversation, turn.language, turn.content_version)
    replies = wording.replies(outputs, fields, first)
    turn.replies.extend(replies)
    turn.context = remember.replied(turn.context, replies, turn.conversation)
    turn_events.shown(turn, first)


def introduce_and_say(turn: Turn, wording: Wording, *outputs: Output) -> None:
    """Introduce the bot first if it has not done so in this stint, then reply."""
    if remember.is_introduced(turn.context, turn.conversation):
        say(turn, wording, *outputs)
    else:
        say(turn, wording, wording.system(INTRODUCTION, turn.language), *outputs)
