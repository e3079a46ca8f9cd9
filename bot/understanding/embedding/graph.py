"""Builder of ONNX graphs with int8 matrices, and the function that opens a graph.

Matrices are int8 per output channel; activations are quantised per call by ONNX Runtime's fused
`DynamicQuantizeMatMul`. The int8 weights are small enough that every processor multiplies them
exactly (`quantise_columns`), so a text has the same vector on all of them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

FUSED = "com.microsoft"
_OPSET = 18


def quantise_columns(matrix: Array) -> tuple[Array, Array]:
    """Round a matrix, shape (inputs, outputs), to int8 so that no processor overflows on it.

    Without VNNI, x86 processors add the products of two neighbouring inputs (0 and 1, 2 and 3, ...)
    in 16 bits and cut what is too large: 255 times the weights, and so wrong vectors without any
    error. Here the weights of two neighbours add up to at most 128 either way, and 255 times 128
    fits. The steps are a quarter wider than the widest int8 allows, which costs nothing that can be
    measured (docs/understanding.md).

    Returns:
        The int8 weights, same shape, and the float32 size of a step for each output.
    """
    paired = np.pad(matrix, ((0, len(matrix) % 2), (0, 0)))
    largest = np.zeros(matrix.shape[1])
    for sign in (1.0, -1.0):
        part = np.maximum(sign * paired, 0.0)
        largest = np.maximum(largest, (part[0::2] + part[1::2]).max(axis=0))
    # 127 and not 128: rounding may add a half to each of the two.
    scale = np.maximum(largest / 127.0, 1e-12).astype(np.float32)
    return np.rint(matrix / scale).astype(np.int8), scale


class GraphBuilder:
    """Builder of a graph: each method adds a node and returns the name of its output."""

    def __init__(self) -> None:
        import onnx

        self._onnx = onnx
        self._nodes: list[Any] = []
        self._constants: list[Any] = []

    def node(
        self, kind: str, inputs: Sequence[str], output: str, *, domain: str = "", **settings: Any
    ) -> str:
        make_node = self._onnx.helper.make_node
        self._nodes.append(make_node(kind, list(inputs), [output], domain=domain, **settings))
        return output

    def constant(self, name: str, array: Array) -> str:
        to_proto = self._onnx.numpy_helper.from_array
        self._constants.append(to_proto(np.ascontiguousarray(array), name))
        return name

    def linear(self, name: str, source: str, matrix: Array, bias: Array | None) -> str:
        """Multiply by a matrix of shape (inputs, outputs), kept as int8 per output."""
        whole, scale = quantise_columns(matrix)
        inputs = [
            source,
            self.constant(name + ".weight", whole),
            self.constant(name + ".scale", scale),
            self.constant(name + ".zero", np.zeros(len(scale), np.int8)),
        ]
        if bias is not None:
            inputs.append(self.constant(name + ".bias", bias.astype(np.float32)))
        return self.node("DynamicQuantizeMatMul", inputs, name + ".out", domain=FUSED)

    def layer_norm(self, name: str, source: str, gain: Array, shift: Array, epsilon: float) -> str:
        inputs = [source, self.constant(name + ".g", gain), self.constant(name + ".b", shift)]
        return self.node("LayerNormalization", inputs, name, axis=-1, epsilon=epsilon)

    def residual_norm(
        self, name: str, source: str, other: str, gain: Array, shift: Array, epsilon: float
    ) -> str:
        """Normalise the sum of two values.

        In two nodes: ONNX Runtime's fused one (1.31) takes three times as long as both.
        """
        return self.layer_norm(name, self.add(name + ".sum", source, other), gain, shift, epsilon)

    def split(self, name: str, source: str, parts: int) -> list[str]:
        """Cut the last axis into equal parts."""
        names = [f"{name}.{i}" for i in range(parts)]
        make_node = self._onnx.helper.make_node
        self._nodes.append(make_node("Split", [source], names, axis=-1, num_outputs=parts))
        return names

    def neighbours(self, name: str, source: str, width: int, left: int) -> str:
        """Concatenate each token with its neighbours; zeros beyond the ends."""
        right = width - 1 - left
        pads = self.constant(name + ".pads", np.array([0, left, 0, 0, right, 0]))
        padded = self.node("Pad", [source, pads], name + ".padded")
        axis = self.constant(name + ".axis", np.array([1]))
        shifted = []
        for i in range(width):
            start = self.constant(f"{name}.start{i}", np.array([i]))
            # A negative end counts from the back: the last shift runs to the very end.
            end = np.array([i - width + 1 if i < width - 1 else np.iinfo(np.int64).max])
            bounds = [start, self.constant(f"{name}.end{i}", end), axis]
            shifted.append(self.node("Slice", [padded, *bounds], f"{name}.shift{i}"))
        return self.concat(name + ".window", shifted)

    def concat(self, name: str, sources: Sequence[str]) -> str:
        return self.node("Concat", sources, name, axis=-1)

    def add(self, name: str, left: str, right: str) -> str:
        return self.node("Add", [left, right], name)

    def relu(self, name: str, source: str) -> str:
        return self.node("Relu", [source], name)

    def save(
        self,
        path: Path,
        *,
        inputs: Mapping[str, Sequence[str | int]],
        outputs: Mapping[str, Sequence[str | int]],
    ) -> None:
        """Write the graph file; all inputs and outputs are float32 of the given shapes."""
        helper, kind = self._onnx.helper, self._onnx.TensorProto.FLOAT

        def values(shapes: Mapping[str, Sequence[str | int]]) -> list[Any]:
            return [
                helper.make_tensor_value_info(name, kind, shape) for name, shape in shapes.items()
            ]

        graph = helper.make_graph(
            self._nodes, path.stem, values(inputs), values(outputs), self._constants
        )
        opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid(FUSED, 1)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=9)
        self._onnx.save(model, str(path))


def open_graph(path: Path) -> Any:
    """Open a graph with one thread per call; concurrent calls are safe."""
    # Read while it is imported; here as well as in `bot.__main__`, for Rasa's own commands.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    # The next level would merge `residual_norm`'s two nodes into the slow one; the rest is fused.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
