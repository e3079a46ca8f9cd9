#!/usr/bin/env bash
# Surprise: a row's result from a model quantised by quantize_dynamic depends on which other rows are
#   in the batch. Activations are quantised once for the whole input, so one row with large numbers
#   makes the steps coarse for all. The unquantised model gives a row the same result in any company.
#   A cache of vectors, or a threshold, that was filled with single texts does not hold for batches.
# Versions: onnxruntime 1.31.1, onnx 1.23.2, numpy 2.3.5; Python 3.11.7 and 3.13.0
# Seen: 2026-11-28, the output below
# Therefore: run one text at a time, or quantise the activations of each row by itself.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet onnxruntime==1.31.1 onnx==1.23.2 numpy==2.3.5
cd "$work"

cat >look.py <<'PYTHON'
import logging

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import quantize_dynamic

logging.disable(logging.WARNING)
values = np.random.default_rng(1)
weights = values.standard_normal((8, 4)).astype(np.float32)
row = values.standard_normal((1, 8)).astype(np.float32)
loud = 100 * values.standard_normal((1, 8)).astype(np.float32)

graph = helper.make_graph(
    [helper.make_node("MatMul", ["x", "weights"], ["y"])],
    "product",
    [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", 8])],
    [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["rows", 4])],
    [numpy_helper.from_array(weights, "weights")],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
onnx.save(model, "float32.onnx")
quantize_dynamic("float32.onnx", "int8.onnx")

for name in ("float32", "int8"):
    session = onnxruntime.InferenceSession(f"{name}.onnx", providers=["CPUExecutionProvider"])
    alone = session.run(None, {"x": row})[0][0]
    beside = session.run(None, {"x": np.vstack([row, loud])})[0][0]
    same = np.abs(alone - beside).max() < 0.01
    print(f"{name}: beside another row", "the same" if same else "another result")
PYTHON
venv/bin/python look.py >seen 2>errors || { cat errors >&2; exit 1; }

diff -u - seen <<'SEEN'
float32: beside another row the same
int8: beside another row another result
SEEN
echo "as seen"
