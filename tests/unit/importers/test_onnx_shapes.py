"""Shapes that a model computes itself, as exporters write it."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from hwsim.importers.onnx import from_onnx
from hwsim.importers.onnx_shapes import infer


def model(nodes: list[onnx.NodeProto], **stored: object) -> onnx.ModelProto:
    """A graph from x of 1x6x8 to y."""
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 6, 8])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    weights = [numpy_helper.from_array(np.asarray(value), name) for name, value in stored.items()]
    graph = helper.make_graph(nodes, "graph", [x], [y], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def node(kind: str, inputs: str, output: str, **attributes: object) -> onnx.NodeProto:
    return helper.make_node(kind, inputs.split(), [output], **attributes)


#: torch's class_token.expand(n, -1, -1) without optimisation: the target is [n, -1, -1] with every -1 replaced by 1.
CLASS_TOKEN = [
    node("Shape", "x", "shape"),
    node("Gather", "shape zero", "n", axis=0),
    node("Unsqueeze", "n axis", "n1"),
    node("Concat", "n1 minus minus", "wanted", axis=0),
    node("Shape", "wanted", "length"),
    node("ConstantOfShape", "length", "ones", value=numpy_helper.from_array(np.array([1]))),
    node("Mul", "ones minus", "minuses"),
    node("Equal", "wanted minuses", "free"),
    node("Where", "free ones wanted", "target"),
    node("Expand", "token target", "tokens"),
    node("Concat", "tokens x", "y", axis=1),
]


def test_expanded_class_token(tmp_path):
    token = np.zeros((1, 1, 8), np.float32)
    proto = model(CLASS_TOKEN, zero=0, axis=[0], minus=[-1], token=token)
    shapes = infer(proto)
    assert (shapes["tokens"], shapes["y"]) == ((1, 1, 8), (1, 7, 8))
    path = tmp_path / "net.onnx"
    path.write_bytes(proto.SerializeToString())
    assert from_onnx(path).output_elements == 56


def test_ranges_and_reshapes():
    nodes = [
        node("Size", "x", "size"),
        node("Div", "size three", "third"),
        node("Reshape", "third one", "third1"),
        node("Range", "zero two one_", "range"),
        node("ReduceSum", "range", "sum", keepdims=1),  # 0 + 1
        node("Concat", "third1 sum minus", "target", axis=0),
        node("Reshape", "x target", "y"),
    ]
    stored = {"three": 3, "one": [1], "zero": 0, "two": 2, "one_": 1, "minus": [-1]}
    assert infer(model(nodes, **stored))["y"] == (16, 1, 3)


def test_a_group_norm_keeps_its_shape():
    nodes = [node("GroupNormalization", "x scale scale", "norm", num_groups=2), node("Relu", "norm", "y")]
    assert infer(model(nodes, scale=np.ones(6, np.float32)))["y"] == (1, 6, 8)


@pytest.mark.parametrize(
    "bomb",
    [
        [node("ConstantOfShape", "huge", "big")],
        [node("ConstantOfShape", "one", "some"), node("Expand", "some huge", "big")],
        [node("ConstantOfShape", "one", "some"), node("Tile", "some huge", "big")],
        [node("Range", "zero trillion step", "big")],
    ],
)
def test_large_constants_are_not_made(bomb):
    nodes = [*bomb, node("ReduceSum", "big", "sum", keepdims=1), node("Reshape", "x sum", "y")]
    shapes = infer(model(nodes, huge=[10**12], one=[1], zero=0, trillion=10**12, step=1))
    assert "y" not in shapes


def test_a_program_that_fails_describes_nothing():
    nodes = [node("Shape", "x", "shape"), node("Div", "shape zero", "no"), node("Gather", "shape far", "none")]
    nodes += [node("Concat", "no none", "target", axis=0), node("Reshape", "x target", "y")]
    assert "y" not in infer(model(nodes, zero=[0], far=[9]))
