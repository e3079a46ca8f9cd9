"""Training of the n-gram tables (`bot/language/ngrams.py`) from `data/language`.

Run `python -m bot.language.training` after a change there; it takes a minute and writes
`bot/language/data/<script>.npz`. Only this module needs scikit-learn.

`data/language/{romanised,native}/<language>.txt` holds one message per line, written for this
project in the tone of customer chat; `words/…` holds the common words of a language, a line
`stems : endings` standing for every combination. Training text is varied the way people type:
other spellings of romanised words, Latin letters without their accents.
"""

import json
import random
import re
import sys
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from bot.language import ngrams, scripts
from bot.language.normalise import tidy

Row = tuple[str, str]

_BITS: Final = {"Latn": 15, "Deva": 13, "Arab": 13, "Cyrl": 13}
# Inverse strength of the L2 penalty; the best of 1, 10 and 100 in cross-validation.
_C: Final = 10.0
_FORMS_PER_LINE: Final = 350
_SEED: Final = 7
_OWN_SCRIPT: Final = frozenset(
    {"ar", "bn", "el", "fa", "gu", "hi", "ja", "kn", "ml"}
    | {"mr", "ne", "pa", "ru", "ta", "te", "th", "ur", "zh"}
)
_TAG: Final = re.compile(r"[a-z]{2}(-Latn)?")


def _lines(path: Path) -> list[str]:
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    for kind, ending in (("romanised", "-Latn"), ("native", "")):
        for path in sorted((folder / kind).glob("*.txt")):
            yield path.stem + ending, path


def sentences(folder: Path) -> list[Row]:
    """Read the training messages: pairs of tag and text."""
    return [(tag, line) for tag, path in _files(folder) for line in _lines(path)]


def read_other_messages(folder: Path) -> list[Row]:
    """Read the project's messages written for other purposes: intents, answers, sentiment.

    Args:
        folder: `data`, with `sentiment/<tag>.tsv`, `nlu/<tag>.yml` and `faq/*.yml`; missing files
            are skipped, and so are lines in another script than their language's.
    """
    rows: list[Row] = []
    for path in sorted((folder / "sentiment").glob("*.tsv")):
        rows += [(path.stem, line.split("\t", 1)[1]) for line in _lines(path)[1:] if "\t" in line]
    for path in sorted((folder / "nlu").glob("*.yml")):
        rows += [(path.stem, line[2:]) for line in _lines(path) if _is_example(line)]
    for path in sorted((folder / "faq").glob("*.yml")):
        rows += _examples(path)
    return [(tag, text) for tag, text in rows if ("-Latn" in tag) == _is_romanised(tag, text)]


def _is_example(line: str) -> bool:
    return line.startswith("- ") and ":" not in line


def _is_romanised(tag: str, text: str) -> bool:
    return main_script(text) == "Latn" and tag.removesuffix("-Latn") in _OWN_SCRIPT


def _examples(path: Path) -> list[Row]:
    from ruamel.yaml import YAML

    content = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    rows: list[Row] = []
    pending: list[Any] = [content]
    while pending:
        node = pending.pop()
        if isinstance(node, dict):
            for key, value in node.items():
                if _TAG.fullmatch(str(key)) and isinstance(value, list):
                    rows += [(str(key), text) for text in value if isinstance(text, str)]
                else:
                    pending.append(value)
        elif isinstance(node, list):
            pending += node
    return rows


def _forms(line: str, chance: random.Random) -> list[str]:
    if " : " not in line:
        return line.split()
    stems, endings = line.split(" : ")
    forms = [stem + ending for stem in stems.split() for ending in endings.split()]
    chance.shuffle(forms)
    return forms[:_FORMS_PER_LINE]


def word_lists(folder: Path, chance: random.Random) -> list[Row]:
    """Make short texts of each language's common words, in random order, using each word twice."""
    rows: list[Row] = []
    for tag, path in _files(folder / "words"):
        words = [form for line in _lines(path) for form in _forms(line, chance)]
        for _ in range(2):
            chance.shuffle(words)
            position = 0
            while position < len(words):
                size = chance.randint(1, 5)
                rows.append((tag, " ".join(words[position : position + size])))
                position += size
    return rows


def _without_accents(text: str) -> str:
    bare = text.translate(str.maketrans("đłıßøæ", "dlisoa"))
    letters = unicodedata.normalize("NFD", bare)
    return "".join(letter for letter in letters if not unicodedata.combining(letter))


def _respell(text: str, swaps: list[list[str]], share: float, chance: random.Random) -> str:
    """Change the spelling of some words: swap, leave out a vowel, or double a letter."""
    words = text.split()
    for position, word in enumerate(words):
        if len(word) < 3 or chance.random() > share:
            continue
        kind, place = chance.random(), chance.randrange(1, len(word))
        if kind < 0.65:
            old, new = chance.choice(swaps)
            start = word.find(old, place - 1)
            if start >= 0:
                words[position] = word[:start] + new + word[start + len(old) :]
        elif kind < 0.85 and len(word) > 3 and word[place] in "aeiou":
            words[position] = word[:place] + word[place + 1 :]
        else:
            words[position] = word[:place] + word[place] + word[place:]
    return " ".join(words)


def _mistype(text: str, share: float, chance: random.Random) -> str:
    """Leave out a letter of some words, or swap two letters."""
    words = text.split()
    for position, word in enumerate(words):
        if len(word) < 4 or chance.random() > share:
            continue
        place = chance.randrange(1, len(word) - 1)
        left_out = word[:place] + word[place + 1 :]
        swapped = word[:place] + word[place + 1] + word[place] + word[place + 2 :]
        words[position] = left_out if chance.random() < 0.6 else swapped
    return " ".join(words)


def vary(rows: Iterable[Row], swaps: list[list[str]], chance: random.Random) -> list[Row]:
    """Add variants of each text as people would also type it."""
    varied: list[Row] = []
    for tag, text in rows:
        varied.append((tag, text))
        if tag.endswith("-Latn"):
            varied.append((tag, _respell(text, swaps, 0.25, chance)))
        elif main_script(text) == "Latn":
            if _without_accents(text) != text:
                varied.append((tag, _without_accents(text)))
            if chance.random() < 0.5:
                varied.append((tag, _mistype(text, 0.2, chance)))
    return varied


def join_pairs(rows: list[Row], chance: random.Random) -> list[Row]:
    """Join random pairs of texts of one language, so that longer texts occur in training."""
    by_tag: dict[str, list[str]] = {}
    for tag, text in rows:
        by_tag.setdefault(tag, []).append(text)
    return [
        (tag, f"{chance.choice(texts)} {chance.choice(texts)}")
        for tag, texts in by_tag.items()
        for _ in range(len(texts) // 2)
    ]


def main_script(text: str) -> str:
    """Return the script of most letters."""
    counts = scripts.count_scripts(text)
    return counts.most_common(1)[0][0] if counts else scripts.NO_SCRIPT


def matrix(texts: list[str], bits: int) -> Any:
    """Return L2-normalised feature counts, a sparse matrix of shape (texts, 2**bits)."""
    from scipy import sparse

    rows = [
        ngrams.features(ngrams.normalise(scripts.without_noise(tidy(text))), bits) for text in texts
    ]
    starts = np.cumsum([0, *map(len, rows)])
    values = np.concatenate([np.full(len(row), max(1, len(row)) ** -0.5) for row in rows])
    shape = (len(texts), 1 << bits)
    return sparse.csr_matrix((values, np.concatenate(rows), starts), shape=shape)


def fit(rows: list[Row], bits: int) -> ngrams.Model:
    """Fit one model; deterministic for the same rows."""
    from sklearn.linear_model import LogisticRegression

    tags, texts = zip(*rows, strict=True)
    learner = LogisticRegression(C=_C, max_iter=80, tol=1e-3)
    learner.fit(matrix(list(texts), bits), tags)
    coefficients, bias = learner.coef_, learner.intercept_
    if len(coefficients) == 1:
        coefficients = np.vstack([-coefficients / 2, coefficients / 2])
        bias = np.array([-bias[0] / 2, bias[0] / 2])
    scale = np.abs(coefficients).max(axis=1) / 127
    weights = np.rint(coefficients / scale[:, None]).astype(np.int8).T
    return ngrams.Model(
        tags=tuple(map(str, learner.classes_)),
        weights=np.ascontiguousarray(weights),
        scale=scale.astype(np.float32),
        bias=bias.astype(np.float32),
    )


def training_rows(folder: Path, only: list[Row] | None = None) -> list[Row]:
    """Return all texts to train on, varied; `only` replaces the sentences."""
    chance = random.Random(_SEED)  # noqa: S311 (texts, not secrets)
    swaps = json.loads((folder / "spellings.json").read_text(encoding="utf-8"))
    messages = sentences(folder) + read_other_messages(folder.parent) if only is None else only
    rows = vary([*messages, *join_pairs(messages, chance)], swaps, chance)
    return rows + vary(word_lists(folder, chance), swaps, chance)


def build(folder: Path, target: Path) -> None:
    """Write one table per script."""
    rows = training_rows(folder)
    for script, bits in _BITS.items():
        script_rows = [row for row in rows if main_script(row[1]) == script]
        model = fit(script_rows, bits)
        np.savez_compressed(
            target / f"{script}.npz",
            tags=np.array(model.tags),
            weights=model.weights,
            scale=model.scale,
            bias=model.bias,
        )
        sys.stdout.write(f"{script}: {len(script_rows)} texts, {len(model.tags)} languages\n")


if __name__ == "__main__":
    build(Path("data/language"), Path(__file__).parent / "data")
