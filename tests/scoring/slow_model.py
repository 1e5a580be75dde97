"""A regressor that gives its one input back, after some milliseconds of work for each row."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
from onnx import TensorProto, helper, numpy_helper

from mlops_ci.core.signature import Column, Signature
from tests.scoring.tiny_models import TinyModel

WIDTH = 2_000
LAYERS = 25


@cache
def slow() -> TinyModel:
    """Matrices are multiplied, and the product with zero is added to the input."""

    def ones(name: str, *shape: int) -> list[object]:
        value = numpy_helper.from_array(np.array([1 / WIDTH], dtype=np.float32))
        sizes = numpy_helper.from_array(np.array(shape, dtype=np.int64), f"{name}_shape")
        constants.append(sizes)
        return [helper.make_node("ConstantOfShape", [f"{name}_shape"], [name], value=value)]

    constants: list[object] = [
        numpy_helper.from_array(np.array([1], dtype=np.int64), "last"),
        numpy_helper.from_array(np.array([0], dtype=np.float64), "zero"),
    ]
    nodes = [
        *ones("widen", 1, WIDTH),
        *ones("square", WIDTH, WIDTH),
        helper.make_node("Cast", ["x"], ["x32"], to=TensorProto.FLOAT),
        helper.make_node("MatMul", ["x32", "widen"], ["h0"]),
        *(helper.make_node("MatMul", [f"h{layer}", "square"], [f"h{layer + 1}"]) for layer in range(LAYERS)),
        helper.make_node("ReduceSum", [f"h{LAYERS}", "last"], ["sum32"], keepdims=1),
        helper.make_node("Cast", ["sum32"], ["sum"], to=TensorProto.DOUBLE),
        helper.make_node("Mul", ["sum", "zero"], ["nothing"]),
        helper.make_node("Add", ["x", "nothing"], ["prediction"]),
    ]
    graph = helper.make_graph(
        nodes,
        "slow",
        [helper.make_tensor_value_info("x", TensorProto.DOUBLE, [None, 1])],
        [helper.make_tensor_value_info("prediction", TensorProto.DOUBLE, [None, 1])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    return TinyModel(
        estimator=None,
        onnx=model.SerializeToString(),
        signature=Signature(task="regression", inputs=(Column(name="x", kind="number"),)),
        frame=pd.DataFrame({"x": [1.0, 2.0]}),
    )
