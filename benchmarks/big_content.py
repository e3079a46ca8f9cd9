"""FAQ content of any size: our own entries, and generated ones around them.

A made entry's examples get vectors sampled around those of a real example, put into the vector
cache under their texts: embedding a hundred thousand texts would take an hour and change nothing.
The spread keeps made entries about as near to real ones as real ones are to each other.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np

from bot.content import versions
from bot.content.load import load_folder
from bot.content.models import PERSON, Content, Entry
from bot.processes import prepare
from bot.settings import Settings
from bot.stores.database import Database
from bot.understanding.embedding.default import load_embedder
from bot.understanding.embedding.embedder import Vectors
from bot.understanding.embedding.vector_cache import VectorCache
from bot.understanding.service import Understander

EXAMPLES_EACH = 10
TOPICS = 20
_SPREAD = 0.9
"""Length of the noise beside a vector of length 1 between a real example and a made entry."""
_CLOSE = 0.35
"""The same between a made entry and its examples."""
_PART = 2000


def make_content(real: Content, entries: int) -> Content:
    """Return our own entries and as many generated ones as `entries` needs."""
    generated = [
        _entry(real.entries[number % len(real.entries)], number)
        for number in range(max(0, entries - len(real.entries)))
    ]
    return Content((*real.entries, *generated))


def own_cache(real_cache: Path, folder: Path) -> Path:
    """Make a cache folder with the real models and vectors; new vectors stay in it."""
    folder.mkdir(parents=True, exist_ok=True)
    if real_cache.exists():
        for path in real_cache.iterdir():
            if path.name == "embedder" and not (folder / "embedder").exists():
                (folder / "embedder").symlink_to(path.resolve())
            elif path.name == "vectors" and not (folder / "vectors").exists():
                shutil.copytree(path, folder / "vectors")
            elif path.suffix == ".npz":
                shutil.copy2(path, folder)
    return folder


def fill_vectors(settings: Settings, content: Content, seed: int = 5) -> None:
    """Write sampled vectors of the generated examples into the cache."""
    embedder = load_embedder(settings.made_dir)
    cache = VectorCache(settings.made_dir / "vectors", embedder)
    generated = [entry for entry in content.entries if _is_made(entry)]
    if not generated or len(cache.get_many(generated[-1].examples["en"])) == EXAMPLES_EACH:
        return
    real = [t for e in content.entries if not _is_made(e) for t in e.examples["en"]]
    sources = cache.embed(real)
    widths = tuple(getattr(embedder, "views", (embedder.dimensions,)))
    chance = np.random.default_rng(seed)
    for start in range(0, len(generated), _PART):
        part = generated[start : start + _PART]
        centres = _around(
            sources[chance.integers(len(sources), size=len(part))], _SPREAD, widths, chance
        )
        vectors = _around(np.repeat(centres, EXAMPLES_EACH, axis=0), _CLOSE, widths, chance)
        cache.put_many([text for entry in part for text in entry.examples["en"]], vectors)


def fit(settings: Settings, content: Content) -> None:
    """Fit the index, as publishing in a running system does; its start then finds it."""
    Understander.load(settings).learn(content)


def publish_first(settings: Settings, content: Content) -> int:
    """Publish content as the first version of a new state folder; return its number."""
    prepare.database(settings)
    database = Database.of(settings)
    try:
        return database.call(lambda c: versions.write(c, content, based_on=None)).number
    finally:
        database.close()


def real_content(settings: Settings) -> Content:
    """Load the content pack."""
    return load_folder(settings.data_dir / "faq", settings.languages)


def _around(
    rows: Vectors, spread: float, widths: tuple[int, ...], chance: np.random.Generator
) -> Vectors:
    """Move rows at random by `spread` of their length, per view; lengths stay the same."""
    parts, start = [], 0
    for width in widths:
        view = rows[:, start : start + width]
        length = np.linalg.norm(view, axis=1, keepdims=True)
        noise = chance.standard_normal(view.shape, np.float32) / np.sqrt(width)
        moved = view + spread * length * noise
        parts.append(
            moved / np.maximum(np.linalg.norm(moved, axis=1, keepdims=True), 1e-9) * length
        )
        start += width
    moved_rows: Vectors = np.concatenate(parts, axis=1).astype(np.float32)
    return moved_rows


def _entry(source: Entry, number: int) -> Entry:
    replies = tuple(reply for reply in source.quick_replies if reply.target != PERSON)
    texts = tuple(f"made question {number} asked in way {i}" for i in range(EXAMPLES_EACH))
    return replace(
        source,
        id=f"made-{number:05}",
        topic=f"made-{number % TOPICS:02}",
        subtopic="made",
        title={language: f"Made {number}" for language in source.title},
        examples={"en": texts},
        quick_replies=replies,
        policy="",
    )


def _is_made(entry: Entry) -> bool:
    return entry.id.startswith("made-")
