"""Recorded traffic: the same conversations for every system, from one seed.

Texts are our English examples with what people do to them: a greeting in front, an order number
behind, a typing mistake, no capitals. No text occurs twice, so no cache answers for the system.
A share of the messages are taps on a quick reply of the answer before; which button a tap means
depends on the answer, so a step carries the position and a text for when there is none.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from bot.content.load import load_folder
from bot.settings import Settings
from bot.understanding.examples import load_dialogue_examples

SEED = 20_251_122
TAP_SHARE = 0.3
SMALL_TALK_SHARE = 0.08
HANDOFF_SHARE = 0.04
"""Share of conversations whose last message asks for a person."""
LONGEST = 40
_OPENINGS = ("hi, ", "hello ", "hey ", "please help: ", "quick question: ", "excuse me, ", "ok so ")
_ENDINGS = ("?", " please", " thanks", " pls", "??", " asap", " today")
_SMALL_TALK = frozenset({"greet", "thanks", "goodbye"})


@dataclass(frozen=True)
class Step:
    """One message of a customer."""

    text: str
    """What is typed; of a tap, what is typed when the last answer had no button."""
    tap: int = -1
    """Which of the buttons that lead to an entry is tapped, modulo their number; -1 for text."""
    entry: str = ""
    """Entry whose example the text was made from; empty for small talk."""


@dataclass(frozen=True)
class Conversation:
    """One customer's messages in order."""

    customer: str
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class Examples:
    """Texts that are varied into messages."""

    questions: tuple[tuple[str, str], ...]
    """Text and entry id."""
    small_talk: tuple[str, ...]
    person: tuple[str, ...]


def load_examples(data_dir: Path = Path("data")) -> Examples:
    """Read the English examples of the content pack."""
    content = load_folder(data_dir / "faq", Settings().languages)
    dialogue = [e for e in load_dialogue_examples(data_dir / "nlu") if e.language == "en"]
    return Examples(
        tuple((text, entry.id) for entry in content.entries for text in entry.examples["en"]),
        tuple(e.text for e in dialogue if e.label in _SMALL_TALK),
        tuple(e.text for e in dialogue if e.label == "ask_human"),
    )


class Traffic:
    """Endless, repeatable sequence of conversations.

    Args:
        name: Part of the customers' names, so that two runs do not meet in one store.
        seed: Equal seeds give equal traffic, whatever the name.
    """

    def __init__(self, examples: Examples, name: str = "t", seed: int = SEED) -> None:
        self._examples = examples
        self._name = name
        self._random = random.Random(seed)
        self._number = 0
        self._said: set[str] = set()

    def __iter__(self) -> Iterator[Conversation]:
        while True:
            yield self.next()

    def next(self) -> Conversation:
        """Make the next conversation of 1–40 messages; each length is as frequent."""
        self._number += 1
        length = self._random.randint(1, LONGEST)
        steps = [self._step(is_first=i == 0) for i in range(length)]
        if length > 1 and self._random.random() < HANDOFF_SHARE:
            steps[-1] = Step(self._unique(self._random.choice(self._examples.person)))
        return Conversation(f"{self._name}-{self._number}", tuple(steps))

    def question(self) -> Step:
        """Make one question that was not asked before."""
        text, entry = self._random.choice(self._examples.questions)
        return Step(self._unique(text), entry=entry)

    def _step(self, *, is_first: bool) -> Step:
        # The first message cannot be a tap, so the others are taps a little more often.
        share = TAP_SHARE * _MEAN_LENGTH / (_MEAN_LENGTH - 1)
        if not is_first and self._random.random() < share:
            return replace(self.question(), tap=self._random.randrange(60))
        if self._random.random() < SMALL_TALK_SHARE:
            return Step(self._unique(self._random.choice(self._examples.small_talk)))
        return self.question()

    def _unique(self, text: str) -> str:
        varied = self._vary(text)
        while varied in self._said:
            varied = f"{self._vary(text)} #{self._random.randrange(10**6):06}"
        self._said.add(varied)
        return varied

    def _vary(self, text: str) -> str:
        change = self._random.random
        if change() < 0.3:
            text = text.rstrip(" ?.!") + self._random.choice(_ENDINGS)
        if change() < 0.25:
            text = self._random.choice(_OPENINGS) + text
        if change() < 0.3:
            text = text.lower()
        if change() < 0.15 and len(text) > 12:
            at = self._random.randrange(4, len(text) - 4)
            text = text[:at] + text[at + 1] + text[at] + text[at + 2 :]
        if change() < 0.15:
            text = f"{text} (order {self._random.randrange(10**5, 10**6)})"
        return text


_MEAN_LENGTH = (1 + LONGEST) / 2
