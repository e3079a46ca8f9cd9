"""Features and models: hashing inside words, quantised scores, and building a model."""

from pathlib import Path

import numpy as np

from bot.language import ngrams, training

CHAT = [("de", "wo ist mein paket"), ("de", "ich warte noch"), ("es", "dónde está mi pedido")] * 4


def test_ngrams_stay_inside_words() -> None:
    apart = set(ngrams.features(ngrams.normalise("guten tag"), 15))
    alone = {*ngrams.features(" guten ", 15), *ngrams.features(" tag ", 15)}
    assert apart == alone


def test_normalising_keeps_letters_and_marks_only() -> None:
    assert ngrams.normalise("Hé, c'est 2 QR!") == " hé cest qr "
    assert ngrams.normalise("नहीं, मिला।") == " नहीं मिला "


def test_features_of_nothing_are_none() -> None:
    assert len(ngrams.features(ngrams.normalise("…"), 15)) == 0


def test_a_fitted_model_knows_its_texts_after_quantising() -> None:
    model = training.fit(CHAT, 10)
    for tag, text in CHAT:
        assert model.tags[int(np.argmax(model.scores(text)))] == tag


def test_every_shipped_model_is_small_and_complete() -> None:
    for script in ("Latn", "Deva", "Arab", "Cyrl"):
        model = ngrams.model_for(script)
        assert model is not None
        assert model.weights.shape[1] == len(model.tags) == len(model.scale) == len(model.bias)
        assert model.weights.nbytes < 4_000_000
    assert ngrams.model_for("Thai") is None


def test_word_lists_stand_for_their_combinations(tmp_path: Path) -> None:
    folder = tmp_path / "words" / "romanised"
    folder.mkdir(parents=True)
    (folder / "hi.txt").write_text("# verbs\nkar bol : na ta\nhai\n", encoding="utf-8")
    rows = training.word_lists(tmp_path, training.random.Random(1))
    words = {word for _, text in rows for word in text.split()}
    assert words == {"karna", "karta", "bolna", "bolta", "hai"}
    assert {tag for tag, _ in rows} == {"hi-Latn"}
