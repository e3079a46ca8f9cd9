"""What `evaluate language` counts."""

from pathlib import Path

from bot.language import training
from bot.language.evaluate import evaluate

DATA = Path(__file__).parents[2] / "data" / "language"

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


def test_romanised_messages_kept_out_of_training_are_recognised() -> None:
    """The promise is 90 % of real chat; these were written apart from the training sentences."""
    lines = (DATA / "heldout" / "romanised.tsv").read_text(encoding="utf-8").splitlines()[1:]
    rows = [line.split("\t") for line in lines]
    report = evaluate([(tag, text, "Latn") for tag, text in rows], with_langdetect=False)
    assert report["romanised_accuracy"] > 0.93
    assert all(found["accuracy"] > 0.85 for found in report["by_language"].values())


def test_no_held_out_message_is_trained_on() -> None:
    trained = {text.lower() for _, text in training.sentences(DATA)}
    lines = (DATA / "heldout" / "romanised.tsv").read_text(encoding="utf-8").splitlines()[1:]
    assert not trained & {line.split("\t")[1].lower() for line in lines}


def test_held_out_chat_in_34_languages_is_read() -> None:
    lines = (DATA / "heldout" / "chat.tsv").read_text(encoding="utf-8").splitlines()[1:]
    rows = [(*line.split("\t"), None) for line in lines]
    assert len({language for language, _, _ in rows}) == 34
    found = evaluate(rows, with_langdetect=False)
    assert found["accuracy"] >= 0.92
    assert found["langdetect_asked"] <= 0.1


def test_held_out_chat_is_in_no_training_file() -> None:
    lines = (DATA / "heldout" / "chat.tsv").read_text(encoding="utf-8").splitlines()[1:]
    held_out = {line.split("\t")[1] for line in lines}
    trained = {
        text for _, text in training.sentences(DATA) + training.read_other_messages(DATA.parent)
    }
    assert not held_out & trained
