"""Surface and spelling: what is measured without knowing the language."""

from __future__ import annotations

import pytest

from bot.understanding.mood.features import FEATURE_NAMES, surface_features
from bot.understanding.ngrams import BUCKETS, ngram_weights, romanise


def _measure(text: str) -> dict[str, float]:
    return dict(zip(FEATURE_NAMES, surface_features(text).tolist(), strict=True))


@pytest.mark.parametrize(
    ("text", "feature"),
    [
        ("ขอบคุณ 😍", "positive_emoji"),
        ("नहीं चाहिए 😡", "negative_emoji"),
        ("great, late again 🙄", "mocking_emoji"),
        ("good :)", "positive_emoticon"),
        ("oh no :(", "negative_emoticon"),
        ("أين طلبي؟", "question"),
        ("what?!", "question_and_exclamation"),
        ("VERSAND DAUERT EWIG", "capitals"),
        ("soooo slow", "drawn_out"),
        ("มากกกก", "drawn_out"),
        ("see https://example.com", "link_or_handle"),
        ("new #shoes", "hashtag"),
        ("🙂", "no_words"),
    ],
)
def test_a_sign_is_seen(text: str, feature: str) -> None:
    assert _measure(text)[feature] > 0.0


@pytest.mark.parametrize("feature", [name for name in FEATURE_NAMES if name != "length"])
def test_a_plain_sentence_has_no_signs(feature: str) -> None:
    assert _measure("the parcel came at noon")[feature] == 0.0


def test_one_abbreviation_is_not_shouting() -> None:
    assert _measure("OK")["capitals"] == 0.0
    assert _measure("my DHL parcel from the shop")["capitals"] < 0.3
    assert _measure("STILL WAITING HERE")["capitals"] == 1.0


def test_values_stay_within_bounds() -> None:
    for text in ("", "😡" * 500, "!" * 5000, "A" * 5000, "\ud800", "9" * 100):
        values = surface_features(text)
        assert values.shape == (len(FEATURE_NAMES),)
        assert ((values >= 0.0) & (values <= 1.0)).all()


@pytest.mark.parametrize(
    ("script", "latin"), [("घटिया", "ghatiyaa"), ("भारी", "bhaari"), ("പണം", "panan"), ("ok", "ok")]
)
def test_indic_letters_are_spelled_in_latin(script: str, latin: str) -> None:
    assert romanise(script) == latin


@pytest.mark.parametrize(
    ("one", "other"),
    [("ghatiya", "ghatia"), ("bahut", "bahuut"), ("ghatiyaaaa", "घटिया"), ("wapas", "vaapas")],
)
def test_spellings_of_a_word_share_most_pieces(one: str, other: str) -> None:
    mine, yours = set(ngram_weights(one)), set(ngram_weights(other))
    assert len(mine & yours) >= 0.6 * len(mine | yours)


def test_numbers_handles_and_links_are_alike() -> None:
    assert ngram_weights("order 123") == ngram_weights("order 987")
    assert ngram_weights("@anna hi") == ngram_weights("@ben hi")
    assert ngram_weights("https://a.example/x") == ngram_weights("https://b.example")


def test_any_text_has_pieces_in_range() -> None:
    for text in ("", "\ud800", "😡", "e\u0301" * 1000, "കൊള്ളാം"):
        assert all(0 <= bucket < BUCKETS for bucket in ngram_weights(text))
