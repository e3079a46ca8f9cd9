"""The shipped model in little dialogues: who is upset, and who only has a question.

The running mean starts at 0, keeps 0.6 of itself with each message, and calls for a person from
0.55 on once three messages are in it (docs/sentiment.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from bot.understanding.embedding.default import load_embedder
from bot.understanding.embedding.embedder import Embedder
from bot.understanding.mood.sentiment import SentimentModel, load_or_fit, running_mean

ROOT = Path(__file__).parents[2]
UPSET = 0.55
MESSAGES = 3

Reader = tuple[SentimentModel, Embedder]


@pytest.fixture(scope="module")
def reader() -> Reader:
    cache = ROOT / ".samvad" / "cache"
    embedder = load_embedder(cache)
    return load_or_fit(cache, ROOT / "data", embedder), embedder


def _upset(reader: Reader, messages: Sequence[str]) -> bool:
    model, embedder = reader
    mean = 0.0
    for count, text in enumerate(messages, start=1):
        mean = running_mean(mean, model.predict(text, embedder.embed([text])[0]).negative)
        if count >= MESSAGES and mean >= UPSET:
            return True
    return False


@pytest.mark.timeout(300)  # the first test of a fresh checkout embeds the training sentences
@pytest.mark.parametrize(
    "messages",
    [
        ["hello", "this is terrible news for my cat", "where is my order", "thanks"],
        ["where is my order", "the app closes when I open it", "how do I update it"],
        ["my parcel arrived damaged", "what should I do", "here is the photo"],
        ["WHERE IS MY ORDER", "HOW DO I CHANGE MY ADDRESS", "OK THANKS"],
        ["hola", "¿dónde está mi pedido?", "gracias"],
        ["mera order kaha hai", "kab tak aayega", "ok shukriya"],
        ["मेरा ऑर्डर कहाँ है", "पता कैसे बदलूँ", "धन्यवाद"],
        ["ของถึงไหนแล้วคะ", "เปลี่ยนที่อยู่ได้ไหม", "ขอบคุณค่ะ"],
    ],
)
def test_questions_and_one_bad_message_need_nobody(reader: Reader, messages: list[str]) -> None:
    assert not _upset(reader, messages)


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "messages",
    [
        [
            "it is taking rather long",
            "I already asked this yesterday and got no reply",
            "this is a bit annoying, I have to say",
        ],
        [
            "esto está tardando mucho",
            "ya pregunté ayer y nadie contestó",
            "la verdad es un poco molesto",
        ],
        ["bahut der ho rahi hai", "kal bhi pucha tha koi jawab nahi mila", "thoda pareshan hu ab"],
        ["बहुत देर हो रही है", "कल भी पूछा था, कोई जवाब नहीं मिला", "अब थोड़ा परेशान हो रहा हूँ"],
        ["ช้ามากเลยค่ะ", "เมื่อวานถามไปก็ไม่มีใครตอบ", "เริ่มหงุดหงิดแล้วนะคะ"],
        ["الأمر يأخذ وقتا طويلا", "سألت أمس ولم يرد أحد", "هذا مزعج قليلا"],
        ["വളരെ വൈകുന്നു", "ഇന്നലെയും ചോദിച്ചു, മറുപടി കിട്ടിയില്ല", "കുറച്ച് ബുദ്ധിമുട്ടായി തോന്നുന്നു"],
        ["खूप उशीर होतोय", "काल पण विचारलं, उत्तर मिळालं नाही", "आता थोडा वैताग आलाय"],
    ],
)
def test_three_annoyed_messages_need_a_person(reader: Reader, messages: list[str]) -> None:
    assert _upset(reader, messages)


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("not bad at all", "positive"),
        ("great, another delay 🙄", "negative"),
        ("thanks for nothing", "negative"),
        ("I'm closing my account, you lost a customer", "negative"),
        ("you idiots", "negative"),
        ("THANK YOU SO MUCH", "positive"),
        ("where is my order?", "neutral"),
        ("😡😡", "negative"),
        ("❤️", "positive"),
        ("nicht schlecht, danke", "positive"),
        ("ghatiya service hai", "negative"),
        ("Mir reicht es jetzt, ich kündige", "negative"),
        ("servicio pésimo, quiero mi dinero", "negative"),
        ("quando arriva il mio pacco?", "neutral"),
        ("bardzo dziękuję, świetna obsługa", "positive"),  # Polish: never seen in training
        ("fruktansvärt dålig service", "negative"),  # Swedish: never seen in training
    ],
)
def test_reads_the_mood(reader: Reader, text: str, label: str) -> None:
    model, embedder = reader
    assert model.predict(text, embedder.embed([text])[0]).label == label
