"""What `evaluate language` counts."""

from bot.language.evaluate import evaluate

ROWS = [
    ("en", "where is my order, I have been waiting for days", None),
    ("hi", "mera order abhi tak nahi aaya hai", "Latn"),
    ("hi", "मेरा ऑर्डर अभी तक नहीं आया है", None),
    ("pt_BR", "onde está o meu pedido, não chegou ainda", None),
    ("de", "12345", None),
]


def test_native_and_romanised_are_counted_apart() -> None:
    report = evaluate(ROWS)
    assert report["n"] == 5
    assert report["romanised_accuracy"] == 1.0
    assert report["native_accuracy"] == 0.75
    assert report["undetermined"] == 0.2
    assert set(report["by_language"]) == {"en", "hi", "hi-Latn", "pt", "de"}
    assert report["langdetect"]["romanised_accuracy"] == 0.0
    assert 0.0 <= report["ms"]["median"] <= report["ms"]["p99"]


def test_no_rows_are_no_error() -> None:
    report = evaluate([], with_langdetect=False)
    assert (report["n"], report["accuracy"]) == (0, None)
