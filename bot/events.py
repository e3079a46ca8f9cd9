"""Event types of the log; all figures are computed from events.

Each type is a frozen dataclass here: its fields are the keys of the row's `data`, its docstring
says when the event is written. docs/events.md is written from them (`python tests/events_page.py`),
and docs/metrics.md says which figure uses which. Types are named `noun.past_verb`. Events carry ids
and numbers, never customer text (that lives in the `messages` table alone).
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from functools import cache
from typing import Any, ClassVar, Protocol, TypedDict

KINDS: dict[str, type[EventData]] = {}
"""Event type → the dataclass of its data."""


@dataclass(frozen=True)
class EventData:
    """Data of an event of one type; every type is a subclass.

    A field with a default is left out of the row while it holds None. A field may end with an
    underscore where its key is a word of Python.
    """

    TYPE: ClassVar[str] = ""

    def __init_subclass__(cls, *, name: str) -> None:
        cls.TYPE = name
        KINDS[name] = cls

    def to_data(self) -> dict[str, Any]:
        """Return the row's `data`."""
        values = ((key, getattr(self, own)) for key, own in keys(self.TYPE).items())
        may_lack = optional(self.TYPE)
        return {key: value for key, value in values if value is not None or key not in may_lack}


@cache
def keys(type_: str) -> Mapping[str, str]:
    """Keys of a type's data, each with the name of its field."""
    return {item.name.rstrip("_"): item.name for item in fields(KINDS[type_])}


@cache
def optional(type_: str) -> frozenset[str]:
    """Keys that rows of a type may lack."""
    return frozenset(f.name.rstrip("_") for f in fields(KINDS[type_]) if f.default is not MISSING)


def data_of(type_: str, data: Mapping[str, Any]) -> EventData | None:
    """Read a row's `data`; None where this code does not know the type, or a key is missing.

    Keys that newer code has added are left out.
    """
    if type_ not in KINDS or not keys(type_).keys() - optional(type_) <= data.keys():
        return None
    return KINDS[type_](**{own: data[key] for key, own in keys(type_).items() if key in data})


class HasConversation(Protocol):
    """Fields an event takes from a conversation; a row of `conversations` has them."""

    @property
    def id(self) -> str: ...
    @property
    def episode_id(self) -> str: ...
    @property
    def channel(self) -> str: ...
    @property
    def language(self) -> str: ...


@dataclass(frozen=True)
class Subject:
    """Conversation fields of an event, where no row is at hand; empty by default."""

    id: str = ""
    episode_id: str = ""
    channel: str = ""
    language: str = ""


@dataclass(frozen=True)
class Event:
    """One row of the log."""

    id: str
    """Idempotency key: the same event stored twice is one row."""
    type: str
    """One of the types below."""
    conversation: str = ""
    """Id of the conversation; empty for `content.published`."""
    episode_id: str = ""
    """Id of its episode; empty for `consent.given` and `content.published`."""
    channel: str = ""
    """Name of the channel, such as `webchat`."""
    language: str = ""
    """Language the bot answered in when the event was noted; the events of a message that changes
    the language all carry the new one."""
    actor: str = "bot"
    """`customer`, `bot`, `agent` or `system`."""
    actor_id: str = ""
    """User id of the agent, or what else names the actor."""
    content_version: int = 0
    """Version of the content in use; 0 where none was."""
    data: Mapping[str, Any] = field(default_factory=dict)
    """Numbers and ids under the keys of the type, as JSON."""
    occurred_at: float = field(default_factory=time.time)
    """Unix seconds; for what a message causes, the time it was received."""

    def __post_init__(self) -> None:
        if self.type not in TYPES:
            raise ValueError(f"{self.type!r} is no event type; add it to bot.events.TYPES")

    @classmethod
    def of(
        cls,
        whose: HasConversation,
        what: EventData,
        *,
        key: str,
        ordinal: str = "",
        actor: str = "bot",
        actor_id: str = "",
        language: str | None = None,
        content_version: int = 0,
        occurred_at: float | None = None,
    ) -> Event:
        """Make the event of a conversation.

        Args:
            whose: The conversation's row, or a `Subject`.
            key: Names what caused it, such as the id of a message: done again it must give the
                same key, so that the event is stored once.
            ordinal: Ending of the id where one cause has several events of the type.
            language: Where it is not the row's.
        """
        return cls(
            id=(f"{key}:{what.TYPE}" if key else what.TYPE) + ordinal,
            type=what.TYPE,
            conversation=whose.id,
            episode_id=whose.episode_id,
            channel=whose.channel,
            language=whose.language if language is None else language,
            actor=actor,
            actor_id=actor_id,
            content_version=content_version,
            data=what.to_data(),
            occurred_at=time.time() if occurred_at is None else occurred_at,
        )

    def to_dict(self) -> dict[str, Any]:
        return dict(vars(self))


@dataclass(frozen=True)
class StoredEvent(Event):
    """A row of the log as it is read back, also of a type that only other versions know."""

    stored_at: float = 0.0
    """Unix seconds at which the row reached SQL."""

    def __post_init__(self) -> None:
        """Take any type: the log is older, and while machines are updated newer, than this code."""

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> StoredEvent:
        return cls(**row)

    @property
    def facts(self) -> EventData | None:
        """Its data with types; None where this code does not know the type or a key is missing."""
        return data_of(self.type, self.data)


# — messages —


@dataclass(frozen=True)
class MessageReceived(EventData, name="message.received"):
    """A customer's message is worked on, whoever owns the conversation."""

    kind: str
    """`text`, `tap`, or `file` for files without words."""
    characters: int
    """Length of the text."""
    files: int
    """Count of files."""


@dataclass(frozen=True)
class MessageRefused(EventData, name="message.refused"):
    """A tap names a button this conversation never had, or the customer is blocked."""

    reason: str
    """`unknown-quick-reply` or `blocked`."""


@dataclass(frozen=True)
class MessageSent(EventData, name="message.sent"):
    """The channel took a message."""

    vendor_id: str
    """The vendor's name for the message; empty where it has none."""
    in_reply_to: str
    """Id of the customer's message; empty for what nobody asked for."""
    utter: str
    """Name of the Rasa response; empty for an agent's words."""


@dataclass(frozen=True)
class MessageFailed(EventData, name="message.failed"):
    """The channel will never take a message; it is a dead letter."""

    reason: str
    """Stable word, such as `blocked` or `vendor-error`."""
    in_reply_to: str
    """As in `message.sent`."""
    utter: str
    """As in `message.sent`."""


@dataclass(frozen=True)
class ContactLost(EventData, name="contact.lost"):
    """The customer has blocked us on Telegram: nothing arrives until they take it back."""

    reason: str
    """`blocked`."""


@dataclass(frozen=True)
class ContactRegained(EventData, name="contact.regained"):
    """The customer has taken it back."""


# — what the bot understood —


@dataclass(frozen=True)
class LanguageDetected(EventData, name="language.detected"):
    """A text was read."""

    language: str
    """Code of the language."""
    script: str
    """Code of the script."""
    confidence: float
    """0–1."""
    romanised: bool
    """Whether it is written in Latin letters."""


@dataclass(frozen=True)
class LanguageSwitched(EventData, name="language.switched"):
    """The conversation's language changed."""

    to: str
    """Code of the new language."""
    was: str | None = None
    """Code of the one before, where the bot followed the customer."""
    explicit: bool | None = None
    """Yes where the customer asked for it."""


@dataclass(frozen=True)
class IntentClassified(EventData, name="intent.classified"):
    """The bot understood a text that it has to answer; there is none for taps, nor in the queue or
    with an agent (what was read there stands with the message, `messages.reading`)."""

    intent: str
    """Best intent."""
    confidence: float
    """Calibrated, 0–1."""
    margin: float
    """Lead over the second best, 0–1."""
    threshold: float
    """Confidence it needed, 0–1."""
    sentiment: str
    """`negative`, `neutral` or `positive`."""
    negative: float
    """Probability that the message is negative, 0–1."""
    decision: str
    """`answer`, `clarify` or `handoff`."""
    cause: str | None
    """Why not `answer`; empty for that."""


# — what the bot did —


@dataclass(frozen=True)
class AnswerSent(EventData, name="answer.sent"):
    """An entry was given as the answer."""

    entry: str
    """Id of the entry."""
    version: int
    """Content version."""
    machine: bool | None = None
    """Yes where a machine translated it."""
    to: str | None = None
    """Language it was translated into."""
    untranslated: str | None = None
    """Why it was not translated where it should have been."""


@dataclass(frozen=True)
class AnswerRated(EventData, name="answer.rated"):
    """The customer said whether an answer helped."""

    entry: str
    """Id of the entry."""
    version: int
    """Content version of the answer."""
    helped: bool
    """What they said."""


@dataclass(frozen=True)
class ClarificationAsked(EventData, name="clarification.asked"):
    """The bot asked back."""

    cause: str | None
    """The cause that a handoff would have had."""


class ShownReply(TypedDict):
    """A button of `quick-reply.shown`."""

    entry: str
    action: str
    position: int


@dataclass(frozen=True)
class QuickReplyShown(EventData, name="quick-reply.shown"):
    """A reply with buttons was sent; there is one event for each reply."""

    replies: Sequence[ShownReply]
    """For each button its `entry` or `action`, and its `position` from 0."""
    version: int
    """Content version."""


@dataclass(frozen=True)
class QuickReplyTapped(EventData, name="quick-reply.tapped"):
    """A button was tapped, or its title or number typed."""

    entry: str
    """Id of the entry it leads to; empty for an action."""
    action: str
    """Such as `person`; empty for an entry."""
    position: int
    """Place among the buttons, from 0."""
    version: int
    """Content version the button was shown with."""
    typed: bool
    """Whether it was typed."""


@dataclass(frozen=True)
class TurnFailed(EventData, name="turn.failed"):
    """The bot had to apologise, or could not read a message."""

    reason: str
    """`no-output` or `understanding`."""


# — between the bot and people —


@dataclass(frozen=True)
class HandoffRequested(EventData, name="handoff.requested"):
    """A conversation enters the queue, or is taken over; figures of handoffs from the bot leave the
    cause `agent-takeover` out."""

    cause: str
    """One of the causes in docs/handoff.md."""
    entry: str | None = None
    """From the bot: best entry."""
    confidence: float | None = None
    """From the bot: calibrated, 0–1."""
    threshold: float | None = None
    """From the bot: confidence it needed, 0–1."""
    margin: float | None = None
    """From the bot: lead over the second best, 0–1."""
    negative: float | None = None
    """From the bot: probability that the message is negative, 0–1."""
    negative_mean: float | None = None
    """From the bot: running mean of it, 0–1."""
    failures: int | None = None
    """From the bot: failures in a row before the message."""
    thresholds: Mapping[str, float] | None = None
    """From the bot: the thresholds in force."""
    message: str | None = None
    """From the bot: id of the message."""


@dataclass(frozen=True)
class HandoffAssigned(EventData, name="handoff.assigned"):
    """An agent claimed it, or was given it by a colleague or by the routing (actor `system`, and
    `actor_id` is the agent)."""

    wait_s: float
    """Seconds in the queue; 0 for a takeover."""
    to: str | None = None
    """User id of the agent it was given to."""
    why: str | None = None
    """Of the routing: `returning`, `team` or `overflow`."""


@dataclass(frozen=True)
class HandoffTransferred(EventData, name="handoff.transferred"):
    """An agent passed the conversation on."""

    note_characters: int
    """Length of the note that goes along."""
    team: str | None = None
    """Id of the team whose queue it went to."""
    to: str | None = None
    """User id of the agent it went to."""


@dataclass(frozen=True)
class HandoffRequeued(EventData, name="handoff.requeued"):
    """The agent was offline for too long; the conversation waits again."""

    reason: str
    """`agent-gone`."""


@dataclass(frozen=True)
class HandoffReturned(EventData, name="handoff.returned"):
    """An agent gave it back to the bot."""


@dataclass(frozen=True)
class HandoffCancelled(EventData, name="handoff.cancelled"):
    """The customer went back to the bot."""


@dataclass(frozen=True)
class HandoffLeft(EventData, name="handoff.left"):
    """The customer left it as a message and does not wait in the chat."""


@dataclass(frozen=True)
class HandoffDelayed(EventData, name="handoff.delayed"):
    """The customer was told that it takes longer (`WAIT_APOLOGY_S`)."""

    waited_s: float
    """Seconds in the queue so far."""


@dataclass(frozen=True)
class SlaWarned(EventData, name="sla.warned"):
    """A clock of a service level has used three quarters of its time; `actor_id` is the owner."""

    clock: str
    """`first-reply`, `next-reply` or `resolution`."""
    policy: str
    """Id of the policy."""
    team: str
    """Id of the team."""
    allowed_s: float
    """Seconds from its start until it is due."""
    due_at: float
    """Unix seconds."""


@dataclass(frozen=True)
class SlaBreached(SlaWarned, name="sla.breached"):
    """The time of a clock has run out; `occurred_at` is when it did."""


@dataclass(frozen=True)
class AgentReplied(EventData, name="agent.replied"):
    """An agent wrote to the customer."""

    characters: int
    """Length of what they wrote."""


# — conversations and episodes —


@dataclass(frozen=True)
class EpisodeStarted(EventData, name="episode.started"):
    """A conversation begins, or begins again after it was resolved or closed."""


@dataclass(frozen=True)
class EpisodeClosed(EventData, name="episode.closed"):
    """An episode ended by itself, or its customer was blocked."""

    outcome: str
    """`bot-resolved`, `abandoned`, `unknown` or `blocked`."""


@dataclass(frozen=True)
class ConversationResolved(EventData, name="conversation.resolved"):
    """An agent ended it."""

    topic: str
    """What it was about, as the agent chose."""
    outcome: str
    """How it ended, as the agent chose."""


@dataclass(frozen=True)
class ConversationReopened(EventData, name="conversation.reopened"):
    """An agent took an ended episode up again; the last `conversation.resolved` of it counts."""

    from_: str
    """`resolved` or `closed`."""


@dataclass(frozen=True)
class ConversationPrioritised(EventData, name="conversation.prioritised"):
    """An agent changed the priority."""

    priority: int
    """The new one, from 0."""
    before: int
    """The one before."""


@dataclass(frozen=True)
class SurveyAnswered(EventData, name="survey.answered"):
    """The customer said how it went, once in an episode; the widget asks whenever an agent
    resolves."""

    survey: str
    """`csat`."""
    score: int
    """1 (very bad) to 5 (very good)."""
    owner: str
    """`agent` or `bot`: whoever had it last."""
    agent: str
    """User id of the agent; empty for the bot."""
    comment_characters: int
    """Length of the comment."""


@dataclass(frozen=True)
class ConsentGiven(EventData, name="consent.given"):
    """The customer agreed to a wording."""

    version: str
    """Version of the wording."""


@dataclass(frozen=True)
class ContentPublished(EventData, name="content.published"):
    """A content version went live."""

    entries: int
    """Count of its entries."""
    based_on: int
    """Version that was live before; 0 for none."""
    forced: bool
    """Whether it was published over a version it was not made from."""


TYPES = frozenset(KINDS)
"""Every type of event."""
