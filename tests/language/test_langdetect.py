"""langdetect behind our table says what langdetect says, in less memory."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from langdetect import detector_factory

from bot.language import langdetect
from bot.language.codes import normalise

TEXTS = (
    "Wo ist meine Bestellung, sie sollte gestern kommen",
    "Dónde está mi pedido",
    "मला परतावा कधी मिळेल",
    "je voudrais rendre ce produit",
    "ik heb mijn pakket niet ontvangen",
    "Moja paczka jeszcze nie dotarła",
)


@pytest.fixture(scope="module")
def original() -> Any:
    factory = detector_factory.DetectorFactory()
    factory.set_seed(0)
    factory.load_profile(detector_factory.PROFILES_DIRECTORY)
    return factory


@pytest.fixture(scope="module")
def frequencies() -> langdetect.Frequencies:
    return langdetect.Frequencies(Path(detector_factory.PROFILES_DIRECTORY))


def test_every_number_is_the_one_of_langdetect(
    original: Any, frequencies: langdetect.Frequencies
) -> None:
    columns = [original.langlist.index(name) for name in frequencies.languages]
    assert len(columns) == len(original.langlist)
    words = list(original.word_lang_prob_map)
    for word in words[::50]:
        theirs = original.word_lang_prob_map[word]
        assert frequencies[word] == pytest.approx([theirs[at] for at in columns], rel=1e-6), word
    assert all(word in frequencies for word in words)
    assert "\0\0" not in frequencies


@pytest.mark.parametrize("text", TEXTS)
def test_it_ranks_as_langdetect_does(original: Any, text: str) -> None:
    detector = original.create()
    detector.append(text)
    theirs = {normalise(item.lang): item.prob for item in detector.get_probabilities()}
    # The order of languages is another, so sums are rounded differently; nothing else is.
    assert langdetect.rank(text) == pytest.approx(theirs, abs=1e-3)


def test_a_text_without_features_gets_no_ranking() -> None:
    assert langdetect.rank("12345") == {}


_GROWTH = """
import sys
from pathlib import Path
from bot.language import langdetect

def private_kb():
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private"))

before = private_kb()
langdetect.load()
print(private_kb() - before)
"""


def test_it_takes_little_memory() -> None:
    found = subprocess.run([sys.executable, "-c", _GROWTH], capture_output=True, check=True)
    assert int(found.stdout) / 1024 < 40, "langdetect's own table takes 63 MB"


def test_a_lone_surrogate_is_left_out() -> None:
    assert langdetect.rank("wo bleibt mein Paket \ud800") == langdetect.rank(
        "wo bleibt mein Paket "
    )
