"""Fit the sentiment model and put it into this folder."""

from __future__ import annotations

import tempfile
from pathlib import Path

from bot import settings
from bot.understanding.embed import load_embedder
from bot.understanding.sentiment import fit_into

if __name__ == "__main__":
    config = settings.load()
    home = Path(__file__).parent
    with tempfile.TemporaryDirectory() as folder:
        path = fit_into(Path(folder), config.data_dir, load_embedder(config.made_dir))
        for old in home.glob("*.npz"):
            old.unlink()
        (home / path.name).write_bytes(path.read_bytes())
    print(f"{home / path.name}")
