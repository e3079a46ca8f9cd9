"""The default embedder: the one that is used unless another is passed."""

from __future__ import annotations

from pathlib import Path

from bot.understanding.embedding.embedder import Embedder


def load_embedder(state_dir: Path) -> Embedder:
    """Open the default embedder, preparing its files in `state_dir` when they are missing (3 s)."""
    # Imported late: a caller that only names the type need not load ONNX Runtime.
    from bot.understanding.embedding.two_views import open_two_views

    return open_two_views(state_dir)
