"""Writer of the e5 model's ONNX graph: int8 matrices and fused operators.

Token and position rows are looked up outside (`e5_encoder.py`), so the 250,000-row table stays
4-bit in the wheel's file; the graph holds the twelve layers and the mean over tokens. Figures in
docs/understanding.md.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bot.understanding.embedding.graph import FUSED, GraphBuilder
from bot.understanding.embedding.wheel_weights import WheelWeights


def write_graph(weights: WheelWeights, path: Path) -> None:
    """Write the graph file: "rows" (1, tokens, hidden) in, "pooled" (1, hidden) out."""
    build = GraphBuilder()
    floats, epsilon = weights.floats, weights.epsilon
    current = build.layer_norm("start", "rows", floats("emb.ln.w"), floats("emb.ln.b"), epsilon)
    for layer in range(weights.layers):
        current = _layer(build, weights, f"l{layer}.", current)
    axes = build.constant("axes", np.array([1]))
    build.node("ReduceMean", [current, axes], "pooled", keepdims=0)
    build.save(
        path,
        inputs={"rows": [1, "tokens", weights.hidden]},
        outputs={"pooled": [1, weights.hidden]},
    )


def _layer(build: GraphBuilder, weights: WheelWeights, prefix: str, start: str) -> str:
    hidden = weights.hidden

    def linear(name: str, source: str, tensors: list[str], columns: int) -> str:
        matrices = [weights.matrix(prefix + tensor + ".w", columns) for tensor in tensors]
        biases = [weights.floats(prefix + tensor + ".b") for tensor in tensors]
        return build.linear(
            prefix + name, source, np.concatenate(matrices).T, np.concatenate(biases)
        )

    def norm(name: str, source: str, other: str) -> str:
        gain, shift = weights.floats(prefix + name + ".w"), weights.floats(prefix + name + ".b")
        return build.residual_norm(prefix + name, source, other, gain, shift, weights.epsilon)

    parts = build.split(prefix + "qkv", linear("qkv", start, ["q", "k", "v"], hidden), 3)
    attended = build.node(
        "MultiHeadAttention", parts, prefix + "attended", domain=FUSED, num_heads=weights.heads
    )
    middle = norm("aln", linear("ao", attended, ["ao"], hidden), start)
    active = build.node(
        "Gelu", [linear("fi", middle, ["fi"], hidden)], prefix + "active", domain=FUSED
    )
    return norm("oln", linear("fo", active, ["fo"], weights.feed_forward), middle)
