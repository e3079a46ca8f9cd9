"""Makes up a day: 150 customers, some agents, 2,000 messages; used only when a day is recorded.

A customer answers to what they were shown, so the day is made while it is played. What comes out
are plain steps (`day_stage`), which a later play follows to the letter.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from day_readings import LANGUAGES
from day_stage import WITH_TRANSLATOR, Outcome, Stage

from bot.content.models import Content
from bot.conversation.states import State
from bot.understanding.examples import load_dialogue_examples

CUSTOMERS = 150
MESSAGES = 2000
SEED = 20231114
AT_ONCE = 30
"""Customers of an hour; each of them comes again later."""

OWN: dict[str, tuple[str, ...]] = {
    "out of scope": (
        "who won the football last night",
        "my neighbour plays the trumpet",
        "explain quantum physics to me",
        "qwertz asdf",
        "what is the weather in Pune",
        "कल रात मैच कौन जीता",
        "मुझे चाँद पर जाना है",
        "भाई cricket ka score kya hai",
        "माझ्या मांजरीचं नाव सांग",
        "ഇന്നത്തെ കാലാവസ്ഥ എങ്ങനെ",
        "พรุ่งนี้ฝนจะตกไหม",
        "¿quién ganó las elecciones?",
        "ما عاصمة البرازيل",
    ),
    "signs": ("👍", "👎", "🙏🏽", "😡", "❤️", "🎉🎉", "?", "...", "ok", "hm"),
    "angry": (
        "you are thieves and this shop is a disgrace",
        "worst service of my life, I hate you",
        "this is unacceptable, three weeks and nothing!!!",
        "तुम लोग चोर हो, बहुत घटिया सेवा है",
        "bahut bekaar service hai, paisa wapas karo chor log",
        "तुमची सेवा अत्यंत वाईट आहे",
        "നിങ്ങളുടെ സേവനം വളരെ മോശമാണ്",
        "บริการแย่มาก โกงกันชัดๆ",
        "sois unos sinvergüenzas, esto es una vergüenza",
        "خدمة سيئة جدا أنتم لصوص",
    ),
    "person": (
        "person",
        "I want to talk to a person",
        "i want to talk to someone in Hindi",
        "किसी इंसान से बात करनी है",
        "kisi insaan se baat karao",
        "मला माणसाशी बोलायचं आहे",
        "എനിക്ക് ഒരാളോട് സംസാരിക്കണം",
        "ขอคุยกับเจ้าหน้าที่",
        "quiero hablar con una persona",
        "أريد التحدث مع موظف",
    ),
    "language": (
        "please speak Hindi",
        "speak English",
        "हिंदी में बोलिए",
        "Thai please",
        "en español por favor",
        "please speak Japanese",
        "can you write in French?",
        "switch to Arabic",
        "മലയാളത്തിൽ സംസാരിക്കൂ",
    ),
    "others": (
        "où est ma commande",
        "wo ist meine Bestellung",
        "onde está o meu pedido",
        "注文した商品はどこですか",
        "je veux parler à quelqu'un",
        "merci beaucoup",
    ),
    "named": (
        "where is my order A1234567",
        "I was charged USD 49.90 twice for order B7654321",
        "मेरा ऑर्डर A1234567 कहाँ है",
        "my email is someone@example.com, change it please",
        "when will order C1112223 of 3 March arrive",
    ),
    "waiting": (
        "hello?",
        "still there?",
        "how long will it take",
        "कितना समय लगेगा",
        "cuánto falta",
        "is anybody there",
        "my order number is D5556667",
    ),
    "cancel": ("cancel", "never mind, I don't want to wait", "रद्द करें", "cancelar"),
    "yes": ("yes", "yes, that helped", "हाँ", "haan", "sí", "نعم", "ใช่"),
    "no": ("no", "that did not help", "नहीं", "nahi", "no, para nada", "لا", "ไม่ใช่"),
    "slash": ("/restart", '/faq{"a":1}', "/handoff", "EXTERNAL: x"),
    "over": ("start over", "restart"),
}
"""Kind → texts of our own; those of FAQ and small talk come from the content files."""

TROUBLES = (
    "understanding",
    "nlg",
    "rasa",
    "silent",
    "twice",
    "dies",
    "database",
    "lease",
    "worn out",
    "claimed",
)


class Words:
    """What customers may write, by kind and language."""

    def __init__(self, content: Content, nlu_folder: Any, rng: random.Random) -> None:
        self.own = OWN
        self.faq: dict[str, list[str]] = {}
        for entry in content.entries:
            for language, texts in entry.examples.items():
                self.faq.setdefault(language, []).append(rng.choice(texts))
        for texts in self.faq.values():
            rng.shuffle(texts)
            del texts[40:]
        self.talk: dict[str, list[str]] = {}
        for example in load_dialogue_examples(nlu_folder):
            self.talk.setdefault(example.language, []).append(example.text)
        for language, texts in self.talk.items():
            self.talk[language] = rng.sample(texts, 14)
        needing = [e for e in content.entries if e.policy == "person"]
        self.policy = [text for e in needing for texts in e.examples.values() for text in texts[:3]]
        self.double = [
            f"{rng.choice(self.faq[code]).rstrip('?.!؟।')}? {rng.choice(self.faq[code])}"
            for code in ("en", "hi", "es", "hi-Latn", "mr")
            for _ in range(9)
        ]
        self.double += [f"{text}? {rng.choice(self.faq['en'])}" for text in self.policy[:4]]


@dataclass
class Customer:
    """A customer as they see themselves."""

    who: int
    language: str
    state: str = "new"
    blocked: bool = False
    buttons: list[Any] = field(default_factory=list)
    """Under the last replies."""
    old: list[str] = field(default_factory=list)
    """Ids of every button ever shown."""


def locales(rng: random.Random) -> list[str]:
    """Locale that each customer's channel reports; some report none, or a foreign one."""
    made = []
    for who in range(CUSTOMERS):
        code = LANGUAGES[who % len(LANGUAGES)]
        made.append(
            rng.choice((code, f"{code}-{'IN' if code in 'hi mr ml en' else 'XX'}", "", "fr"))
        )
    return made


class Day:
    """Makes steps one after the other, each with what came of the ones before in mind."""

    def __init__(self, stage: Stage, words: Words, rng: random.Random) -> None:
        self._stage = stage
        self._words = words
        self._rng = rng
        self._customers = [
            Customer(who, LANGUAGES[who % len(LANGUAGES)]) for who in range(CUSTOMERS)
        ]
        self._troubles = [trouble for trouble in TROUBLES for _ in range(7)]
        rng.shuffle(self._troubles)

    async def steps(self) -> AsyncIterator[tuple[dict[str, Any], Outcome | None]]:
        """Live the day; yield each step with what came of it."""
        said = 0
        while said < MESSAGES:
            step = self._next(said)
            outcome = await self._stage.play(step)
            customer = self._customers[step["who"]] if "who" in step else None
            if customer:
                self._notice(customer, outcome)
            said += step["do"] == "say"
            yield step, outcome

    def _notice(self, customer: Customer, outcome: Outcome | None) -> None:
        current = self._stage.state_of(customer.who)
        customer.state = current.state.value if current else "new"
        customer.blocked = bool(current and current.blocked)
        if outcome and outcome.replies:
            shown = [q for reply in outcome.replies for q in reply.quick_replies]
            customer.buttons = shown
            customer.old += [q.id for q in shown]

    def _next(self, said: int) -> dict[str, Any]:
        rng = self._rng
        if rng.random() < 0.03:
            return {"do": "record", "after": 1}
        if said in (700, 1400) and not getattr(self, f"_published_{said}", False):
            setattr(self, f"_published_{said}", True)
            return {"do": "publish", "after": 1}
        first = (said // 100) * 11
        customer = self._customers[(first + rng.randrange(AT_ONCE)) % CUSTOMERS]
        if customer.state != "new" and rng.random() < 0.01:
            return {"do": "forget", "who": customer.who, "after": 1}
        if (move := self._agents_move(customer)) is not None:
            return {"do": "agent", "who": customer.who, "what": move, "after": rng.choice((1, 9))}
        step = self._message(customer)
        if self._troubles and rng.random() < 0.04:
            trouble = self._troubles[-1]
            if trouble != "claimed" or self._may_be_claimed(customer, step):
                step["trouble"] = self._troubles.pop()
        return step

    @staticmethod
    def _may_be_claimed(customer: Customer, step: dict[str, Any]) -> bool:
        """Tell whether the text is read in a thread, where an agent can come in between."""
        text = step.get("text", "")
        read = customer.state in ("bot", "waiting") and len(text) % 2 == 1
        return read and not step.get("titled") and not customer.blocked

    def _agents_move(self, customer: Customer) -> str | None:
        rng, chance = self._rng, self._rng.random()
        if customer.blocked:
            return "unblock" if chance < 0.3 else None
        if customer.state == State.WAITING:
            return rng.choice(("claim", "claim", "present")) if chance < 0.35 else None
        if customer.state == State.ASSIGNED and chance < 0.6:
            return rng.choice(("reply", "return", "return", "resolve", "requeue", "snooze"))
        if customer.state == State.BOT:
            if chance < 0.02:
                return "claim"
            if chance < 0.05:
                return "close"
            return "block" if chance < 0.054 else None
        return None

    def _message(self, customer: Customer) -> dict[str, Any]:
        rng = self._rng
        step: dict[str, Any] = {
            "do": "say",
            "who": customer.who,
            "after": rng.choice((1, 2, 5, 20, 45, 130)),
        }
        if rng.random() < 0.03:
            step["early"] = rng.choice((0.5, 3, 90))
        chance = rng.random()
        if chance < 0.2 and customer.buttons:
            return step | {"tap": rng.choice(customer.buttons).id}
        if chance < 0.24 and customer.old:
            return step | {"tap": rng.choice(customer.old)}
        if chance < 0.25:
            other = rng.choice(self._customers)
            return step | {"tap": rng.choice(other.old or ["f" * 16])}
        if chance < 0.30 and customer.buttons:
            return step | self._typed_button(customer)
        if chance < 0.33:
            files = [rng.choice(("image", "audio", "file")) for _ in range(rng.choice((1, 1, 3)))]
            words = rng.random() < 0.3
            step = step | {"files": files, "after": rng.choice((0, 1, 60))}
            return step | ({"text": self._text(customer)} if words else {})
        if chance < (0.45 if customer.state in ("new", "closed", "resolved") else 0.335):
            return step | {"kind": "start"}
        return step | {"text": self._text(customer)}

    def _typed_button(self, customer: Customer) -> dict[str, Any]:
        """Write a title or a number of the last buttons, or one too high."""
        rng = self._rng
        button = rng.choice(customer.buttons)
        if rng.random() < 0.5:
            return {"text": button.title, "titled": True}
        number = rng.choice((button.position + 1, button.position + 1, 9))
        return {"text": rng.choice((f"{number}", f"{number}.", f"({number})")), "titled": True}

    def _text(self, customer: Customer) -> str:
        rng, own = self._rng, self._words.own
        if customer.state == State.WAITING and rng.random() < 0.6:
            return rng.choice(own[rng.choice(("waiting", "cancel"))])
        spoken = customer.language
        if spoken in ("hi", "mr") and rng.random() < 0.4:
            spoken = f"{spoken}-Latn"
        if spoken not in self._words.faq or rng.random() < 0.1:
            spoken = "en"
        if customer.who % WITH_TRANSLATOR == WITH_TRANSLATOR - 1 and rng.random() < 0.4:
            return rng.choice(own["others"])
        kinds = ("faq", "talk", "double", "policy", *own)
        weights = (46, 10, 8, 4, 7, 5, 3, 3, 4, 3, 3, 1, 2, 4, 4, 1, 2)
        (kind,) = rng.choices(kinds, weights)
        if kind == "faq":
            return rng.choice(self._words.faq[spoken])
        if kind == "talk":
            return rng.choice(self._words.talk.get(spoken, self._words.talk["en"]))
        if kind == "double":
            return rng.choice(self._words.double)
        if kind == "policy":
            return rng.choice(self._words.policy)
        return rng.choice(own[kind])
