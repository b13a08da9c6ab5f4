"""ONNX operators → layers: one handler for each kind of operator."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, Literal

from hwsim.importers.tracer import Constant, Known, Result, Shape, Tracer, flipped, pair
from hwsim.operators.window import Padding, same
from hwsim.spec.builder import Tensor

#: ONNX functions of elements -> hwsim's name.
_FUNCTIONS = {
    **{
        name.capitalize(): name for name in ("relu", "elu", "selu", "sigmoid", "mish", "softplus", "tanh", "exp", "log")
    },
    **{name.capitalize(): name for name in ("relu", "elu", "selu", "sigmoid", "mish", "softplus", "tanh", "clip")},
    **{name.capitalize(): name for name in ("sqrt", "reciprocal", "erf", "exp", "log", "sin", "cos", "abs", "neg")},
    **{name.capitalize(): name for name in ("sign", "floor", "ceil", "round", "not")},
    **{name.capitalize(): name for name in ("add", "sub", "mul", "div", "pow", "max", "min", "mod", "and", "or")},
    "LeakyRelu": "leaky relu",
    "PRelu": "prelu",
    "HardSigmoid": "hard sigmoid",
    "HardSwish": "hard swish",
    "Swish": "silu",
    "Sum": "add",
    **dict.fromkeys(("Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual"), "compare"),
    "Where": "select",
}

#: ONNX operators that only rearrange their first operand -> hwsim's name.
_ARRANGEMENTS = {
    **dict.fromkeys(("Reshape", "Squeeze", "Unsqueeze"), "reshape"),
    "Flatten": "flatten",
    "Slice": "slice",
    "Expand": "broadcast",
    "Tile": "gather",
    "Pad": "pad",
    **dict.fromkeys(("DepthToSpace", "SpaceToDepth"), "shuffle"),
}

_REDUCTIONS: Mapping[str, Literal["max", "min", "sum", "average"]] = {
    "ReduceMean": "average",
    "ReduceSum": "sum",
    "ReduceMax": "max",
    "ReduceMin": "min",
}

#: Nothing happens to the elements at inference.
_PASS = ("Identity", "Dropout", "Cast", "CastLike", "QuantizeLinear", "DequantizeLinear")


@dataclass(frozen=True)
class Node:
    """A node with its operands as what they stand for.

    Args:
        kind: operator type.
        name: for the layer.
        inputs: operands, None where an optional one is left out.
        attributes: as written in the model.
        outs: shape of each result, None where inference does not know it.
        opset: version of the standard operators.
    """

    kind: str
    name: str
    inputs: tuple[Known | None, ...]
    attributes: Mapping[str, Any]
    outs: tuple[Shape | None, ...]
    opset: int

    @property
    def out(self) -> Shape:
        """Shape of the first result."""
        return self.outs[0] or ()

    @property
    def operands(self) -> tuple[Known, ...]:
        """The operands that are there."""
        return tuple(value for value in self.inputs if value is not None)

    @property
    def x(self) -> Tensor:
        """The first operand."""
        if not isinstance(self.inputs[0], Tensor):
            raise ValueError("the first operand is stored")
        return self.inputs[0]

    def has(self, index: int) -> bool:
        """An optional operand is there."""
        return len(self.inputs) > index and self.inputs[index] is not None


def _padding(node: Node, kernel: tuple[int, int], stride: tuple[int, int], dilation: tuple[int, int]) -> Padding:
    mode = node.attributes.get("auto_pad", b"NOTSET").decode()
    if mode in ("SAME_UPPER", "SAME_LOWER"):
        top, left, bottom, right = same(pair(node.x.shape[2:]), kernel, stride, dilation)
        return (top, left, bottom, right) if mode == "SAME_UPPER" else (bottom, right, top, left)
    axes = len(node.x.shape) - 2
    pads = list(node.attributes.get("pads", [0] * 2 * axes)) if mode == "NOTSET" else [0] * 2 * axes
    return (*pair(pads[:axes], 0), *pair(pads[axes:], 0))


def _conv(tracer: Tracer, node: Node) -> Result:
    weight = node.inputs[1]
    if not isinstance(weight, Constant):
        raise ValueError("the weights of a convolution must be stored")
    ones = [1] * (len(node.x.shape) - 2)
    stride, dilation = node.attributes.get("strides", ones), node.attributes.get("dilations", ones)
    return tracer.conv(
        node.x,
        weight,
        node.out,
        node.name,
        stride=stride,
        padding=_padding(node, pair(weight.shape[2:]), pair(stride), pair(dilation)),
        dilation=dilation,
        groups=node.attributes.get("group", 1),
        bias=node.has(2),
    )


def _gemm(tracer: Tracer, node: Node) -> Result:
    a, b, *_ = node.operands
    if node.attributes.get("transA", 0):
        a = flipped(a)
    if node.attributes.get("transB", 0):
        b = flipped(b)
    added = node.inputs[2] if node.has(2) else None
    bias = isinstance(added, Constant) and isinstance(b, Constant) and added.elements == node.out[-1]
    made = tracer.matmul(a, b, node.out, node.name, bias=bias)
    return made if bias or added is None else tracer.elementwise("add", (made, added), node.out, f"{node.name}.add")


def _matmul(tracer: Tracer, node: Node) -> Result:
    a, b = node.operands
    return tracer.matmul(a, b, node.out, node.name)


def _einsum(tracer: Tracer, node: Node) -> Result:
    if len(node.operands) != 2:
        raise ValueError("hwsim knows only products of two operands")
    return tracer.einsum(node.attributes["equation"].decode(), *node.operands, node.out, node.name)


def _pool(tracer: Tracer, node: Node) -> Result:
    kernel = node.attributes["kernel_shape"]
    ones = [1] * len(kernel)
    stride, dilation = node.attributes.get("strides", ones), node.attributes.get("dilations", ones)
    return tracer.pool(
        "max" if node.kind == "MaxPool" else "average",
        node.x,
        node.out,
        node.name,
        kernel=kernel,
        stride=stride,
        padding=_padding(node, pair(kernel), pair(stride), pair(dilation)),
        dilation=dilation,
        ceil=bool(node.attributes.get("ceil_mode", 0)),
    )


def _global_pool(tracer: Tracer, node: Node) -> Result:
    return tracer.adaptive_pool("max" if "Max" in node.kind else "average", node.x, node.out, node.name)


def _norm(tracer: Tracer, node: Node) -> Result:
    x = node.x
    match node.kind:
        case "BatchNormalization":
            if node.attributes.get("training_mode", 0):
                raise ValueError("a batch norm that measures its input at inference")
            return tracer.norm("batch", x, node.name, channels=x.shape[1])
        case "InstanceNormalization":
            return tracer.norm("instance", x, node.name, channels=x.shape[1], width=prod(x.shape[2:]))
        case "GroupNormalization":
            width = x.elements // x.shape[0] // node.attributes["num_groups"]
            return tracer.norm("group", x, node.name, channels=x.shape[1], width=width)
        case _:
            width = prod(x.shape[node.attributes.get("axis", -1) :])
            kind: Literal["layer", "rms"] = "rms" if node.kind.startswith("RMS") else "layer"
            return tracer.norm(kind, x, node.name, channels=width, width=width)


def _softmax(tracer: Tracer, node: Node) -> Result:
    x = node.x
    if node.opset < 13:  # all axes from this one on are one row
        axis = node.attributes.get("axis", 1) % len(x.shape)
        x = Tensor(x.source, (*x.shape[:axis], prod(x.shape[axis:])))
        made = tracer.softmax(x, -1, node.name)
    else:
        made = tracer.softmax(x, node.attributes.get("axis", -1), node.name)
    made = Tensor(made.source, node.out)
    return tracer.unary("log", made, f"{node.name}.log") if node.kind == "LogSoftmax" else made


def _gelu(tracer: Tracer, node: Node) -> Result:
    approximate = node.attributes.get("approximate", b"none") == b"tanh"
    return tracer.unary("gelu tanh" if approximate else "gelu", node.x, node.name)


def _elementwise(tracer: Tracer, node: Node) -> Result:
    return tracer.elementwise(_FUNCTIONS[node.kind], node.operands, node.out, node.name)


def _reduce(tracer: Tracer, node: Node) -> Result:
    return tracer.reduce(_REDUCTIONS[node.kind], node.x, node.out, node.name)


def _gather(tracer: Tracer, node: Node) -> Result:
    data, indices = node.operands
    if isinstance(data, Constant) and isinstance(indices, Tensor):
        if node.attributes.get("axis", 0) != 0:
            raise ValueError("a lookup along another axis than the first")
        return tracer.embedding(data, indices, node.out, node.name)
    if isinstance(indices, Constant) and indices.elements == 1:
        return tracer.rearrange("slice", (data,), node.out, node.name)
    moved = (data,) if isinstance(indices, Constant) else (data, indices)
    return tracer.rearrange("gather", moved, node.out, node.name)


def _rearrange(tracer: Tracer, node: Node) -> Result:
    return tracer.rearrange(_ARRANGEMENTS[node.kind], (node.x,), node.out, node.name)


def _resize(tracer: Tracer, node: Node) -> Result:
    mode = node.attributes.get("mode", b"nearest").decode()
    if mode != "nearest":
        raise ValueError(f"{mode} interpolation, but hwsim knows only the nearest")
    return tracer.rearrange("resize", (node.x,), node.out, node.name)


def _concat(tracer: Tracer, node: Node) -> Result:
    return tracer.rearrange("concat", node.operands, node.out, node.name)


def _split(tracer: Tracer, node: Node) -> Result:
    if None in node.outs:
        raise ValueError("the shape of its result cannot be inferred")
    return tuple(tracer.rearrange("slice", (node.x,), out, node.name) for out in node.outs if out is not None)


def _transpose(tracer: Tracer, node: Node) -> Result:
    order = node.attributes.get("perm", range(len(node.x.shape))[::-1])
    return tracer.transpose(node.x, order, node.out, node.name)


def _same(tracer: Tracer, node: Node) -> Result:
    return Tensor(node.x.source, node.out)


HANDLERS: dict[str, Callable[[Tracer, Node], Result]] = {
    "Conv": _conv,
    "Gemm": _gemm,
    "MatMul": _matmul,
    "Einsum": _einsum,
    **dict.fromkeys(("MaxPool", "AveragePool"), _pool),
    **dict.fromkeys(("GlobalMaxPool", "GlobalAveragePool"), _global_pool),
    **dict.fromkeys(("BatchNormalization", "InstanceNormalization", "GroupNormalization"), _norm),
    **dict.fromkeys(("LayerNormalization", "RMSNormalization"), _norm),
    **dict.fromkeys(("Softmax", "LogSoftmax"), _softmax),
    "Gelu": _gelu,
    **dict.fromkeys(_FUNCTIONS, _elementwise),
    **dict.fromkeys(_REDUCTIONS, _reduce),
    "Gather": _gather,
    **dict.fromkeys(_ARRANGEMENTS, _rearrange),
    **dict.fromkeys(("Resize", "Upsample"), _resize),
    "Concat": _concat,
    "Split": _split,
    "Transpose": _transpose,
    **dict.fromkeys(_PASS, _same),
}
