from collections.abc import Sequence

import numpy as np
import pytest

from bot.understanding.embedding.embedder import Vectors, normalise
from bot.understanding.intents.index import IntentIndex
from bot.understanding.intents.names import fits_examples, in_words
from bot.understanding.intents.prediction import Example


@pytest.mark.parametrize(
    ("label", "words"),
    [
        ("faq/order-status", "order status"),
        ("card_payment_fee_charged", "card payment fee charged"),
        ("CardArrival", "card arrival"),
        ("ORDER_STATUS", "order status"),
        ("intent_12", ""),
        ("42", ""),
        ("किश्त-भुगतान", "किश्त भुगतान"),
    ],
)
def test_a_label_is_read_as_words(label: str, words: str) -> None:
    assert in_words(label) == words


def test_a_name_far_from_its_own_examples_is_left_out() -> None:
    rows = np.eye(8, dtype=np.float32)
    labels = np.arange(8)
    names = np.stack([rows[0], rows[5]])  # the second is called what the sixth is about
    assert fits_examples(names, np.array([0, 1]), rows, labels).tolist() == [True, True]
    many = np.eye(80, dtype=np.float32)
    strange = normalise(many[10:60].sum(axis=0, keepdims=True))
    assert not fits_examples(strange, np.array([1]), many, np.arange(80)).any()


class Words:
    """Adds up a vector for each word."""

    name = "words"
    dimensions = 64

    def embed(self, texts: Sequence[str]) -> Vectors:
        rows = np.zeros((len(texts), 64), np.float32)
        for row, text in zip(rows, texts, strict=True):
            for word in text.split():
                row += np.random.default_rng(sum(map(ord, word))).normal(size=64)
        return normalise(rows)


def test_the_name_answers_for_what_no_example_says() -> None:
    told = {"parcel-lost": "it never came", "money-back": "give it to me", "size-wrong": "too big"}
    examples = [Example(text, label, "en") for label, text in told.items()]
    index = IntentIndex.fit(examples, None, embedder=Words())
    assert index.predict("parcel lost").best == "parcel-lost"
    assert index.predict("money back").best == "money-back"
