"""langdetect, asked only where script, n-grams and the fast detector leave a doubt.

It takes milliseconds a message, so it votes on few. Seeded: the same text gets the same answer.
"""

import threading
from functools import cache
from typing import Any, Final

from bot.language.codes import normalise

# langdetect's factory loads its profiles on first use and is not made for threads.
_LOADING: Final = threading.Lock()
_SEED: Final = 0


@cache
def _factory() -> Any:
    from langdetect import detector_factory

    detector_factory.DetectorFactory.seed = _SEED
    detector_factory.init_factory()
    return detector_factory._factory


def rank(text: str) -> dict[str, float]:
    """Return langdetect's probabilities by language, ours; empty when it finds no features."""
    from langdetect.lang_detect_exception import LangDetectException

    with _LOADING:
        detector = _factory().create()
    detector.append(text)
    try:
        found = detector.get_probabilities()
    except LangDetectException:
        return {}
    shares: dict[str, float] = {}
    for item in found:
        language = normalise(item.lang)
        shares[language] = shares.get(language, 0.0) + float(item.prob)
    return shares
