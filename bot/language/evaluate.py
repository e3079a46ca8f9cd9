"""Measure detection on labelled messages, beside langdetect on the same rows."""

import time
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from bot.language import langdetect, scripts
from bot.language.codes import UNDETERMINED, normalise
from bot.language.detect import examine, warm_up
from bot.language.ngrams import model_for
from bot.language.romanised import SUFFIX


def _tag(language: str, text: str, script: str | None) -> str:
    """Name what a row expects: `hi`, or `hi-Latn` for Hindi typed in Latin letters."""
    primary = normalise(language)
    model = model_for("Latn")
    typed = f"{primary}{SUFFIX}"
    latin = language.lower().endswith("-latn") or (script or "").lower() in ("latn", "latin")
    if not script:
        latin = latin or scripts.count_scripts(scripts.without_noise(text)).keys() == {"Latn"}
    return typed if latin and model is not None and typed in model.tags else primary


def _quantile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))] if values else 0.0


def _accuracy(outcomes: dict[str, list[bool]]) -> float | None:
    hits = [hit for found in outcomes.values() for hit in found]
    return round(sum(hits) / len(hits), 4) if hits else None


def _by_language(
    ours: dict[str, list[bool]], theirs: dict[str, list[bool]]
) -> dict[str, dict[str, float | int | None]]:
    return {
        tag: {
            "n": len(hits),
            "accuracy": round(sum(hits) / len(hits), 4),
            "langdetect": round(sum(theirs[tag]) / len(hits), 4) if theirs.get(tag) else None,
        }
        for tag, hits in sorted(ours.items())
    }


def evaluate(
    rows: Iterable[tuple[str, str, str | None]], *, with_langdetect: bool = True
) -> dict[str, Any]:
    """Detect the language of every row and count.

    A romanised row is right only when language and `romanised` both are; a native one only when it
    is not taken for romanised.

    Args:
        rows: (language in any spelling or tag like `hi-Latn`, text, ISO 15924 script or None).
        with_langdetect: Ask langdetect about every row too; takes milliseconds a row.

    Returns:
        `n`, `accuracy` (0.0–1.0), `native_accuracy`, `romanised_accuracy` (None without such
        rows), `undetermined` (share of rows), `by_language` (tag → n, accuracy, langdetect),
        `langdetect` (accuracy, native_accuracy, romanised_accuracy; romanised counts as right when
        the language alone is), `langdetect_asked` (share of rows where detection itself asked it),
        `ms` (median and p99 of one detection, warm).
    """
    warm_up()
    ours: dict[str, list[bool]] = defaultdict(list)
    theirs: dict[str, list[bool]] = defaultdict(list)
    spent_ms: list[float] = []
    undetermined = asked = 0
    for language, text, script in rows:
        wanted = _tag(language, text, script)
        begin = time.perf_counter()
        reading, asked_slow = examine(text)
        spent_ms.append(1000 * (time.perf_counter() - begin))
        ours[wanted].append(reading.tag == wanted)
        asked += asked_slow
        undetermined += reading.language == UNDETERMINED
        if with_langdetect:
            shares = langdetect.rank(text)
            best = max(shares, key=lambda tag: shares[tag], default=UNDETERMINED)
            theirs[wanted].append(best == wanted.removesuffix(SUFFIX))
    native = {tag: hits for tag, hits in ours.items() if not tag.endswith(SUFFIX)}
    typed = {tag: hits for tag, hits in ours.items() if tag.endswith(SUFFIX)}
    return {
        "n": len(spent_ms),
        "accuracy": _accuracy(ours),
        "native_accuracy": _accuracy(native),
        "romanised_accuracy": _accuracy(typed),
        "undetermined": round(undetermined / max(1, len(spent_ms)), 4),
        "by_language": _by_language(ours, theirs),
        "langdetect": {
            "accuracy": _accuracy(theirs),
            "native_accuracy": _accuracy({t: h for t, h in theirs.items() if t in native}),
            "romanised_accuracy": _accuracy({t: h for t, h in theirs.items() if t in typed}),
        },
        "langdetect_asked": round(asked / max(1, len(spent_ms)), 4),
        "ms": {
            "median": round(_quantile(spent_ms, 0.5), 4),
            "p99": round(_quantile(spent_ms, 0.99), 4),
        },
    }
