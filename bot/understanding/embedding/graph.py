"""A small builder of ONNX graphs with int8 matrices, and the way they are opened.

Matrices are int8 per output channel; activations are quantised per call by ONNX Runtime's fused
`DynamicQuantizeMatMul`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

FUSED = "com.microsoft"
_OPSET = 18


class GraphBuilder:
    """Collects nodes and constants; every method returns the name of the value it adds."""

    def __init__(self) -> None:
        import onnx

        self._onnx = onnx
        self._nodes: list[Any] = []
        self._constants: list[Any] = []

    def node(
        self, kind: str, inputs: Sequence[str], output: str, *, domain: str = "", **settings: Any
    ) -> str:
        make = self._onnx.helper.make_node
        self._nodes.append(make(kind, list(inputs), [output], domain=domain, **settings))
        return output

    def constant(self, name: str, array: Array) -> str:
        to_proto = self._onnx.numpy_helper.from_array
        self._constants.append(to_proto(np.ascontiguousarray(array), name))
        return name

    def linear(self, name: str, source: str, matrix: Array, bias: Array | None) -> str:
        """Multiply by a matrix of shape (inputs, outputs), kept as int8 per output."""
        scale = np.maximum(np.abs(matrix).max(axis=0) / 127.0, 1e-12).astype(np.float32)
        whole = np.clip(np.rint(matrix / scale), -127, 127).astype(np.int8)
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
        make = self._onnx.helper.make_node
        self._nodes.append(make("Split", [source], names, axis=-1, num_outputs=parts))
        return names

    def windows(self, name: str, source: str, width: int, left: int) -> str:
        """Put each token's neighbours side by side; zeros beyond the ends."""
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
        """Write the graph; all inputs and outputs are float32 of the given shapes."""
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


def open_session(path: Path) -> Any:
    """Open a graph for one thread a call; concurrent calls are safe."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    # The next level would put that slow node in the place of the two; what else it fuses is fused.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
