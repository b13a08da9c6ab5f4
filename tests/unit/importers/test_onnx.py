"""ONNX models against the torch modules they are made from, and against the zoo."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from hypothesis import HealthCheck, given, settings, strategies as st
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from torch import nn

from hwsim.errors import SpecError
from hwsim.importers import onnx as importer
from hwsim.importers.onnx import from_onnx
from hwsim.importers.onnx_operators import HANDLERS
from hwsim.networks import network
from hwsim.spec.network import Network
from tests.unit.importers.modules import ZOO, Residual, multiply_accumulates, parameters


class Model:
    """A graph that grows node by node, each reading the result of the one before unless told otherwise."""

    def __init__(self, *shape: int | str | None, opset: int = 18) -> None:
        self.opset = opset
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self.inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)]
        self.last = "x"

    def store(self, values: Any) -> str:
        """An initializer."""
        array = values.detach().numpy() if isinstance(values, torch.Tensor) else np.asarray(values)
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(array, name))
        return name

    def add(self, kind: str, *inputs: str, outputs: int = 1, domain: str = "", **attributes: Any) -> str:
        """A node; reads the last result if no inputs are given."""
        name = f"{kind}{len(self.nodes)}"
        results = [name, *(f"{name}.{i}" for i in range(1, outputs))]
        node = helper.make_node(kind, inputs or (self.last,), results, name=name, domain=domain, **attributes)
        self.nodes.append(node)
        self.last = name
        return name

    def proto(self, *outputs: str) -> onnx.ModelProto:
        results = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs or (self.last,)]
        graph = helper.make_graph(self.nodes, "graph", self.inputs, results, self.weights)
        domains = {node.domain for node in self.nodes} - {""}
        opsets = [helper.make_opsetid("", self.opset), *(helper.make_opsetid(domain, 1) for domain in domains)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=9)

    def save(self, path: Path, *outputs: str) -> Path:
        path.write_bytes(self.proto(*outputs).SerializeToString())
        return path


def convert(module: nn.Module, model: Model) -> None:
    """Append a module's nodes with its own weights."""
    match module:
        case nn.Sequential():
            for part in module:
                convert(part, model)
        case Residual():
            x = model.last
            for part in (module.conv1, module.bn1, module.relu, module.conv2, module.bn2):
                convert(part, model)
            branch, model.last = model.last, x
            convert(module.downsample, model)
            model.add("Add", branch, model.last)
            convert(module.relu, model)
        case nn.Conv2d():
            weights = [model.store(w) for w in (module.weight, module.bias) if w is not None]
            padding = list(module.padding) * 2
            model.add(
                "Conv",
                model.last,
                *weights,
                strides=list(module.stride),
                pads=padding,
                dilations=list(module.dilation),
                group=module.groups,
            )
        case nn.BatchNorm2d():
            stored = (module.weight, module.bias, module.running_mean, module.running_var)
            model.add("BatchNormalization", model.last, *map(model.store, stored))
        case nn.MaxPool2d():
            shape = {"kernel_shape": [module.kernel_size] * 2, "strides": [module.stride] * 2}
            model.add("MaxPool", **shape, pads=[module.padding] * 4)
        case nn.AvgPool2d():
            model.add("AveragePool", kernel_shape=[module.kernel_size] * 2, strides=[module.stride] * 2)
        case nn.AdaptiveAvgPool2d():
            model.add("GlobalAveragePool")
        case nn.Linear():
            weights = [model.store(w) for w in (module.weight, module.bias) if w is not None]
            model.add("Gemm", model.last, *weights, transB=1)
        case nn.ReLU() | nn.Tanh() | nn.Flatten() | nn.Softmax() | nn.Identity():
            kind = type(module).__name__
            model.add({"ReLU": "Relu"}.get(kind, kind))
        case _:
            raise TypeError(type(module))


def labels(net: Network) -> list[str]:
    """Operators in order, views left out, with what is fused."""
    return [
        " + ".join(operator.label for operator in (layer.operator, *layer.fused))
        for layer in net.layers
        if not layer.operator.view
    ]


@pytest.mark.parametrize("name", ZOO)
def test_equals_torch_and_the_zoo(name, tmp_path):
    build, shape = ZOO[name]
    module, expected = build().eval(), network(name)
    model = Model("batch", *shape)
    convert(module, model)
    net = from_onnx(model.save(tmp_path / f"{name}.onnx"))
    if name != "resnet18":  # slow in the reference implementation; its block has a test of its own
        x = torch.rand(2, *shape)
        (made,) = ReferenceEvaluator(model.proto()).run(None, {"x": x.numpy()})
        assert np.allclose(made, module(x).detach(), atol=1e-5)
    assert net.name == name
    assert net.macs == multiply_accumulates(module, torch.rand(1, *shape))
    assert [layer.nest for layer in net.mac_layers] == [layer.nest for layer in expected.mac_layers]
    assert labels(net) == labels(expected)
    assert net.parameters == expected.parameters
    assert net.parameters.total == parameters(module)
    assert net.inputs[0].shape == shape


@pytest.mark.parametrize(("inputs", "stride"), [(4, 1), (3, 2)])
def test_residual_block(inputs, stride, tmp_path):
    module = Residual(inputs, 4, stride).eval()
    model = Model(1, inputs, 6, 6)
    convert(module, model)
    x = torch.rand(1, inputs, 6, 6)
    (made,) = ReferenceEvaluator(model.proto()).run(None, {"x": x.numpy()})
    assert np.allclose(made, module(x).detach(), atol=1e-5)
    net = from_onnx(model.save(tmp_path / "block.onnx"))
    assert net.macs == multiply_accumulates(module, x)
    shortcut = ["conv + batch norm"] if stride > 1 else []
    assert labels(net) == ["conv + batch norm + relu", "conv + batch norm", *shortcut, "add + relu"]


@given(
    channels=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    groups=st.integers(1, 3),
    kernel=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    stride=st.integers(1, 3),
    padding=st.integers(0, 2),
    dilation=st.integers(1, 2),
)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_convolutions(tmp_path, channels, groups, kernel, stride, padding, dilation):
    inputs, outputs = (groups * count for count in channels)
    module = nn.Conv2d(inputs, outputs, kernel, stride, padding, dilation, groups)
    model = Model(1, inputs, 7, 9)
    convert(module, model)
    net = from_onnx(model.save(tmp_path / "conv.onnx"))
    x = torch.rand(1, inputs, 7, 9)
    assert net.macs == multiply_accumulates(module, x)
    assert net.layers[0].operator.output == module(x).shape[2:]


@pytest.mark.parametrize(
    ("mode", "padding", "size"),
    [("SAME_UPPER", (0, 0, 1, 1), 3), ("SAME_LOWER", (1, 1, 0, 0), 3), ("VALID", (0, 0, 0, 0), 2)],
)
def test_automatic_padding(mode, padding, size, tmp_path):
    model = Model(1, 2, 6, 6)
    model.add("Conv", "x", model.store(np.zeros((3, 2, 3, 3), np.float32)), strides=[2, 2], auto_pad=mode)
    conv = from_onnx(model.save(tmp_path / "conv.onnx")).layers[0].operator
    assert (conv.padding, conv.output) == (padding, (size, size))


def test_attention_with_decomposed_shapes(tmp_path):
    """Reshapes whose target is computed from the shape of the input, as exporters write them."""
    model = Model("batch", 6, 8)
    batch = model.add("Gather", model.add("Shape", "x"), model.store(np.array(0)), axis=0)
    batch = model.add("Unsqueeze", batch, model.store(np.array([0])))
    shape = model.add("Concat", batch, model.store(np.array([6, 2, 4])), axis=0)
    heads = []
    for _ in range(3):
        y = model.add("MatMul", "x", model.store(np.zeros((8, 8), np.float32)))
        y = model.add("Add", model.store(np.zeros(8, np.float32)), y)
        heads.append(model.add("Transpose", model.add("Reshape", y, shape), perm=[0, 2, 1, 3]))
    q, k, v = heads
    scores = model.add("MatMul", q, model.add("Transpose", k, perm=[0, 1, 3, 2]))
    scores = model.add("Div", scores, model.store(np.float32(2.0)))
    context = model.add("MatMul", model.add("Softmax", scores, axis=-1), v)
    back = model.add("Concat", batch, model.store(np.array([6, 8])), axis=0)
    model.add("Reshape", model.add("Transpose", context, perm=[0, 2, 1, 3]), back)
    model.add(
        "LayerNormalization", model.last, model.store(np.ones(8, np.float32)), model.store(np.ones(8, np.float32))
    )
    net = from_onnx(model.save(tmp_path / "attention.onnx"))
    assert labels(net) == ["gemm"] * 3 + ["batched gemm + div", "softmax", "batched gemm", "layer norm"]
    assert net.macs == 3 * 6 * 8 * 8 + 2 * 2 * 6 * 6 * 4
    assert (net.parameters.weights, net.parameters.biases, net.parameters.norms) == (192, 24, 16)


def test_everything_else_by_shape(tmp_path):
    model = Model(1, 4, 6, 6, opset=21)
    ones = model.store(np.ones(4, np.float32))
    model.add("GroupNormalization", "x", ones, ones, num_groups=2)
    model.add("HardSwish")
    model.add("PRelu", model.last, model.store(np.ones((4, 1, 1), np.float32)))
    model.add("InstanceNormalization", model.last, ones, ones)
    model.add("Clip", model.last, model.store(np.float32(0)), model.store(np.float32(6)))
    model.add("Resize", model.last, "", model.store(np.array([1, 1, 2, 2], np.float32)), mode="nearest")
    model.add("Pad", model.last, model.store(np.array([0, 0, 0, 0, 0, 0, 1, 1])))
    model.add("MaxPool", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)
    first = model.add("Split", model.last, outputs=2, axis=1, num_outputs=2)
    model.add("Where", model.add("Greater", first, f"{first}.1"), first, f"{first}.1")
    model.add("ReduceMean", model.last, model.store(np.array([2, 3])), keepdims=0)
    model.add("Gelu", approximate="tanh")
    model.add("Dropout")
    model.add("LogSoftmax")
    net = from_onnx(model.save(tmp_path / "net.onnx"))
    assert labels(net) == [
        "group norm + hard swish + prelu",
        "instance norm + clip",
        "resize",
        "pad",
        "max pool",
        "compare",
        "select",
        "reduce average + gelu tanh",
        "softmax + log",
    ]
    pool = next(layer.operator for layer in net.layers if layer.operator.label == "max pool")
    assert pool.output == (6, 6)  # of 13: 0..2, 2..4, .., 10..12
    assert net.parameters.norms == 8 + 8
    assert net.parameters.biases == 4  # slopes of PRelu


def test_lookup_and_slices(tmp_path):
    model = Model(1, 5)
    model.inputs = [helper.make_tensor_value_info("x", TensorProto.INT64, ["batch", 5])]
    model.add("Gather", model.store(np.zeros((100, 8), np.float32)), "x")
    whole = model.last
    token = model.add("Gather", whole, model.store(np.array(0)), axis=1)
    model.add("Gather", whole, model.store(np.array([1, 3])), axis=1)
    model.add("Flatten")
    model.add("Concat", model.last, token, axis=1)
    net = from_onnx(model.save(tmp_path / "net.onnx"))
    assert labels(net) == ["embedding", "gather"]
    assert net.parameters.weights == 800
    assert net.output_elements == 16 + 8


def test_quantisation_is_passed_through(tmp_path):
    model = Model(1, 8)
    scale, zero = model.store(np.float32(0.1)), model.store(np.int8(0))
    model.add("DequantizeLinear", model.add("QuantizeLinear", "x", scale, zero), scale, zero)
    weights = model.store(np.zeros((4, 8), np.int8))
    model.add("Gemm", model.last, model.add("DequantizeLinear", weights, scale, zero), transB=1)
    model.nodes[-1].input[0] = model.nodes[1].output[0]
    net = from_onnx(model.save(tmp_path / "net.onnx"))
    assert labels(net) == ["gemm"]
    assert net.weights == 32


def test_old_softmax_takes_all_axes_from_its_own_on(tmp_path):
    model = Model(1, 3, 4, opset=11)
    model.add("Softmax", axis=1)
    operator = from_onnx(model.save(tmp_path / "net.onnx")).layers[0].operator
    assert (operator.rows, operator.width) == (1, 12)


def test_products_of_activations_and_local_functions(tmp_path):
    model = Model(1, 3, 4)
    model.inputs.append(helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4, 5]))
    product = model.add("MatMul", "x", "y")
    model.add("Einsum", product, "y", equation="bij,bkj->bik")
    model.add("Double", domain="local")
    proto = model.proto()
    body = [helper.make_node("Add", ["a", "a"], ["b"])]
    proto.functions.append(helper.make_function("local", "Double", ["a"], ["b"], body, [helper.make_opsetid("", 18)]))
    path = tmp_path / "net.onnx"
    path.write_bytes(proto.SerializeToString())
    net = from_onnx(path)
    assert labels(net) == ["batched gemm", "batched gemm + add"]
    assert net.macs == 3 * 4 * 5 + 3 * 5 * 4


def test_weights_beside_the_model_are_not_needed(tmp_path):
    model = Model(1, 8)
    model.add("MatMul", "x", model.store(np.zeros((8, 100), np.float32)))
    (weight,) = model.weights
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    weight.external_data.add(key="location", value="../../nowhere.bin")
    assert from_onnx(model.save(tmp_path / "net.onnx")).weights == 800


def test_every_unknown_operator_is_named_with_its_node(tmp_path):
    model = Model(1, 8)
    model.add("CumSum", "x", model.store(np.array(1)))
    model.add("Relu")
    model.add("Fused", domain="com.vendor")
    model.add("Det", "x")
    with pytest.raises(SpecError) as caught:
        from_onnx(model.save(tmp_path / "net.onnx", model.nodes[2].output[0], model.nodes[3].output[0]))
    path = tmp_path / "net.onnx"
    assert [str(fault) for fault in caught.value.faults] == [
        f"{path}: CumSum in layer CumSum0: hwsim knows no such operator",
        f"{path}: Det in layer Det3: hwsim knows no such operator",
    ]
    model.nodes[2].input[0] = "x"
    with pytest.raises(SpecError, match=r"com\.vendor\.Fused in layer Fused2: hwsim knows no such operator"):
        from_onnx(model.save(tmp_path / "net.onnx"))


def failing(build) -> Model:
    model = Model(1, 2, 6, 6)
    build(model)
    return model


CONDITION = helper.make_graph(
    [helper.make_node("Relu", ["x"], ["r"])], "then", [], [helper.make_tensor_value_info("r", TensorProto.FLOAT, None)]
)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda m: m.add("Relu", "nothing"), "Relu in layer Relu0: reads nothing, which no earlier node makes"),
        (lambda m: m.add("Conv", "x", "x"), "weights of a convolution must be stored"),
        (lambda m: m.add("Resize", "x", "", m.store(np.ones(4, np.float32)), mode="linear"), "linear interpolation"),
        (
            lambda m: m.add("If", m.store(np.array(True)), then_branch=CONDITION, else_branch=CONDITION),
            "run other graphs",
        ),
        (lambda m: m.add("Conv", "x", m.store(np.zeros((1, 2, 9, 9), np.float32))), "does not fit"),
        (
            lambda m: m.add("Conv", "x", m.store(np.zeros((1, 3, 3, 3), np.float32))),
            "3 input channels, the input has 2",
        ),
        (lambda m: m.add("MatMul", "x", m.store(np.zeros((2, 6, 6), np.float32))), "weights by head"),
        (
            lambda m: m.add("Relu", f"{m.add('MaxPool', 'x', outputs=2, kernel_shape=[2, 2])}.1"),
            "Relu in layer Relu1: reads a further result",
        ),
        (lambda m: m.add("Conv", "x", m.store(np.zeros((1, 2, 3, 3, 3), np.float32))), "cannot be inferred"),
        (
            lambda m: m.add("Gather", m.store(np.zeros((4, 9), np.float32)), m.add("Cast", "x", to=7), axis=1),
            "another axis",
        ),
        (lambda m: m.add("NonZero", "x"), "NonZero in layer NonZero0: hwsim knows no such operator"),
        (
            lambda m: m.add("Add", "x", m.add("NonZero", m.store(np.ones(3)))),
            "constant operand cannot be inferred|result",
        ),
        (lambda m: m.add("ConstantOfShape", m.store(np.array([3]))), "no output depends on an input"),
    ],
)
def test_what_cannot_be_imported(build, message, tmp_path):
    with pytest.raises(SpecError, match=message):
        from_onnx(failing(build).save(tmp_path / "net.onnx"))


def test_gemm_of_turned_operands(tmp_path):
    model = Model(8, 3)
    model.inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [8, 3])]
    model.add("Gemm", "x", model.store(np.zeros((8, 5), np.float32)), "", transA=1)
    model.add("Gemm", model.last, model.store(np.zeros((2, 5), np.float32)), model.store(np.zeros((3, 2))), transB=1)
    net = from_onnx(model.save(tmp_path / "net.onnx"), [(8, 3)])
    assert net.macs == 3 * 8 * 5 + 3 * 5 * 2
    assert labels(net) == ["gemm", "gemm", "add"]


def test_an_output_that_nothing_makes(tmp_path):
    with pytest.raises(SpecError, match="output in layer y: no node makes it"):
        from_onnx(failing(lambda m: m.add("Relu")).save(tmp_path / "net.onnx", "y"))


@pytest.mark.parametrize(
    ("shape", "given", "result"),
    [
        (("n", 8), None, 1),
        ((None, 8), None, 1),
        ((1, 8), None, 1),
        (("n", "rows", 8), [(3, 8)], 3),
        ((4, 8), [(4, 8)], 4),  # no batch: every axis is the sample's
        (("n", "rows", 8), None, "axis 1 has no size"),
        ((4, 8), None, "the first axis is 4"),
        (("n", 8), [(2, 3, 8)], "has 2 axes with the batch, the shape given has 3"),
        (("n", 8), [(8,), (8,)], "2 input shapes for the inputs x"),
    ],
)
def test_shapes_of_inputs(shape, given, result, tmp_path):
    model = Model(*shape)
    model.add("MatMul", "x", model.store(np.zeros((8, 2), np.float32)))
    path = model.save(tmp_path / "net.onnx")
    if isinstance(result, str):
        with pytest.raises(SpecError, match=result):
            from_onnx(path, given)
    else:
        assert from_onnx(path, given).layers[0].operator.rows == result


@pytest.mark.parametrize("kind", sorted({*HANDLERS, "Shape", "Size", "Range", "ConstantOfShape", "Expand"}))
@given(data=st.data())
@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nodes_with_any_operands_are_layers_or_faults(kind, tmp_path, data):
    model = Model(*data.draw(st.sampled_from([(1,), (1, 4), (1, 4, 6, 6), (1, 0, 6)])))
    known = ["x", "", model.store(np.array([1, -1])), model.store(np.zeros((4, 6), np.float32))]
    operands = data.draw(st.lists(st.sampled_from(known), max_size=4))
    attributes = {"kernel_shape": [2, 2], "perm": [9], "axis": 7, "strides": [0], "equation": "ij", "num_groups": 0}
    chosen = data.draw(st.sets(st.sampled_from(sorted(attributes))))
    model.nodes.append(
        helper.make_node(kind, operands, ["y"], name="node", **{name: attributes[name] for name in chosen})
    )
    model.last = "y"
    model.add("Mul", "y", "x")
    with suppress(SpecError):
        assert from_onnx(model.save(tmp_path / "net.onnx")).layers


def test_missing_and_oversized_files(tmp_path, monkeypatch):
    with pytest.raises(SpecError, match="cannot be read"):
        from_onnx(tmp_path / "none.onnx")
    path = failing(lambda m: (m.add("Relu"), m.add("Relu"))).save(tmp_path / "net.onnx")
    monkeypatch.setattr(importer, "MAX_NODES", 1)
    with pytest.raises(SpecError, match="2 nodes, more than 1"):
        from_onnx(path)
    monkeypatch.setattr(importer, "MAX_BYTES", 10)
    with pytest.raises(SpecError, match="larger than 10 bytes"):
        from_onnx(path)


@given(st.data())
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damaged_files_are_faults(tmp_path, data):
    model = Model("n", 2, 6, 6)
    model.add("Conv", "x", model.store(np.zeros((3, 2, 3, 3), np.float32)))
    model.add("Relu")
    content = bytearray(model.proto().SerializeToString())
    for _ in range(data.draw(st.integers(0, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "net.onnx"
    path.write_bytes(bytes(content[: data.draw(st.integers(0, len(content)))]))
    with suppress(SpecError):
        assert from_onnx(path).layers
