"""The encoders' int8 graphs with their matrix products in float64, where nothing overflows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def write_exact(graph: Path, target: Path) -> None:
    """Write a copy of a graph that computes the same numbers without int8 kernels.

    Activations are still rounded to 256 steps and weights to the int8 of the graph; the products
    of those whole numbers are exact in float64. Every other node stays as it is.
    """
    model = onnx.load(str(graph))
    constants = {item.name: item for item in model.graph.initializer}
    nodes = []
    for node in model.graph.node:
        if node.op_type == "DynamicQuantizeMatMul":
            nodes.extend(_exact_product(node, constants))
        else:
            nodes.append(node)
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    del model.graph.initializer[:]
    model.graph.initializer.extend(constants.values())
    onnx.save(model, str(target))


def _exact_product(node: Any, constants: dict[str, Any]) -> list[Any]:
    source, weight, scale, zero, *bias = node.input
    whole = numpy_helper.to_array(constants[weight])
    assert not numpy_helper.to_array(constants.pop(zero)).any()
    constants[weight] = numpy_helper.from_array(whole.astype(np.float64), weight)
    name = node.output[0]

    def add(kind: str, inputs: list[str], *outputs: str, **settings: Any) -> Any:
        return helper.make_node(kind, inputs, [name + output for output in outputs], **settings)

    last = ".product" if bias else ""
    return [
        add("DynamicQuantizeLinear", [source], ".whole", ".step", ".zero"),
        add("Cast", [name + ".whole"], ".wide", to=TensorProto.DOUBLE),
        add("Cast", [name + ".zero"], ".widezero", to=TensorProto.DOUBLE),
        add("Sub", [name + ".wide", name + ".widezero"], ".centred"),
        add("MatMul", [name + ".centred", weight], ".sum"),
        add("Cast", [name + ".sum"], ".narrow", to=TensorProto.FLOAT),
        add("Mul", [name + ".step", scale], ".steps"),
        add("Mul", [name + ".narrow", name + ".steps"], last),
        *([add("Add", [name + last, bias[0]], "")] if bias else []),
    ]
