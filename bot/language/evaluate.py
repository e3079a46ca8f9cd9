"""Evaluation of language detection on labelled messages, with langdetect for comparison."""

import time
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from bot.language import langdetect, scripts
from bot.language.codes import UNDETERMINED, normalise
from bot.language.detect import examine, warm_up
from bot.language.ngrams import model_for
from bot.language.romanised import SUFFIX


def _expected_tag(language: str, text: str, script: str | None) -> str:
    """Return the tag a row expects: `hi`, or `hi-Latn` for Hindi typed in Latin letters."""
    primary = normalise(language)
    model = model_for("Latn")
    romanised_tag = f"{primary}{SUFFIX}"
    is_latin = language.lower().endswith("-latn") or (script or "").lower() in ("latn", "latin")
    if not script:
        is_latin = is_latin or scripts.count_scripts(scripts.without_noise(text)).keys() == {"Latn"}
    return (
        romanised_tag if is_latin and model is not None and romanised_tag in model.tags else primary
    )


def _quantile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))] if values else 0.0


def _accuracy(outcomes: dict[str, list[bool]]) -> float | None:
    hits = [hit for language_hits in outcomes.values() for hit in language_hits]
    return round(sum(hits) / len(hits), 4) if hits else None


def _by_language(
    own_hits: dict[str, list[bool]], langdetect_hits: dict[str, list[bool]]
) -> dict[str, dict[str, float | int | None]]:
    return {
        tag: {
            "n": len(hits),
            "accuracy": round(sum(hits) / len(hits), 4),
            "langdetect": round(sum(langdetect_hits[tag]) / len(hits), 4)
            if langdetect_hits.get(tag)
            else None,
        }
        for tag, hits in sorted(own_hits.items())
    }


def evaluate(
    rows: Iterable[tuple[str, str, str | None]], *, with_langdetect: bool = True
) -> dict[str, Any]:
    """Detect the language of every row and count hits.

    A romanised row is right only when language and `romanised` both are; a native one only when it
    is not taken for romanised.

    Args:
        rows: (language in any spelling or tag like `hi-Latn`, text, ISO 15924 script or None).
        with_langdetect: Also run langdetect on every row; takes milliseconds per row.

    Returns:
        `n`, `accuracy` (0.0–1.0), `native_accuracy`, `romanised_accuracy` (None without such
        rows), `undetermined` (share of rows), `by_language` (tag → n, accuracy, langdetect),
        `langdetect` (accuracy, native_accuracy, romanised_accuracy; romanised counts as right when
        the language alone is), `langdetect_asked` (share of rows where detection itself needed it),
        `ms` (median and p99 of one detection, warm).
    """
    warm_up()
    own_hits: dict[str, list[bool]] = defaultdict(list)
    langdetect_hits: dict[str, list[bool]] = defaultdict(list)
    spent_ms: list[float] = []
    undetermined = langdetect_used = 0
    for language, text, script in rows:
        expected = _expected_tag(language, text, script)
        started = time.perf_counter()
        reading, used_langdetect = examine(text)
        spent_ms.append(1000 * (time.perf_counter() - started))
        own_hits[expected].append(reading.tag == expected)
        langdetect_used += used_langdetect
        undetermined += reading.language == UNDETERMINED
        if with_langdetect:
            shares = langdetect.rank(text)
            best = max(shares, key=lambda tag: shares[tag], default=UNDETERMINED)
            langdetect_hits[expected].append(best == expected.removesuffix(SUFFIX))
    native = {tag: hits for tag, hits in own_hits.items() if not tag.endswith(SUFFIX)}
    typed = {tag: hits for tag, hits in own_hits.items() if tag.endswith(SUFFIX)}
    return {
        "n": len(spent_ms),
        "accuracy": _accuracy(own_hits),
        "native_accuracy": _accuracy(native),
        "romanised_accuracy": _accuracy(typed),
        "undetermined": round(undetermined / max(1, len(spent_ms)), 4),
        "by_language": _by_language(own_hits, langdetect_hits),
        "langdetect": {
            "accuracy": _accuracy(langdetect_hits),
            "native_accuracy": _accuracy({t: h for t, h in langdetect_hits.items() if t in native}),
            "romanised_accuracy": _accuracy(
                {t: h for t, h in langdetect_hits.items() if t in typed}
            ),
        },
        "langdetect_asked": round(langdetect_used / max(1, len(spent_ms)), 4),
        "ms": {
            "median": round(_quantile(spent_ms, 0.5), 4),
            "p99": round(_quantile(spent_ms, 0.99), 4),
        },
    }
