"""Command that fits the sentiment models and writes them into this folder: `make fitted`."""

from __future__ import annotations

import tempfile
from pathlib import Path

from bot import settings
from bot.understanding.embedding.default import load_embedder
from bot.understanding.intents.cascade import SecondView, has_two_views
from bot.understanding.mood.sentiment import fit_into

if __name__ == "__main__":
    config = settings.load()
    home = Path(__file__).parent
    with tempfile.TemporaryDirectory() as folder:
        embedder = load_embedder(config.made_dir)
        written = [fit_into(Path(folder), config.data_dir, embedder)]
        if has_two_views(embedder):
            second = SecondView(embedder)
            written.append(fit_into(Path(folder), config.data_dir, second, second.languages))
        for old in home.glob("*.npz"):
            old.unlink()
        for path in written:
            (home / path.name).write_bytes(path.read_bytes())
            print(f"{home / path.name}")
