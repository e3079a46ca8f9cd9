"""Put replies into a turn, with what follows from them: the events, and what is remembered."""

from __future__ import annotations

from bot.dialogue import happened, remember
from bot.dialogue.answer import Output
from bot.dialogue.turn import Turn
from bot.dialogue.word import INTRODUCTION, Letterhead, Wording


def say(turn: Turn, wording: Wording, *outputs: Output) -> None:
    """Add outputs to the replies of a turn, in the state its conversation has now."""
    first = len(turn.replies)
    letterhead = Letterhead(turn.inbound, turn.conversation, turn.language, turn.content_version)
    replies = wording.replies(outputs, letterhead, first)
    turn.replies.extend(replies)
    turn.context = remember.said(turn.context, replies, turn.conversation)
    happened.shown(turn, first)


def introduce_and_say(turn: Turn, wording: Wording, *outputs: Output) -> None:
    """Say first that it is a bot: once an episode, and once after each return."""
    if remember.is_introduced(turn.context, turn.conversation):
        say(turn, wording, *outputs)
    else:
        say(turn, wording, wording.system(INTRODUCTION, turn.language), *outputs)
