"""ATen functions → layers: one handler for each kind of function."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, Literal

from hwsim.importers.tracer import UNMODELLED, Known, Result, Shape, Tracer, flipped, pair
from hwsim.operators.window import Padding
from hwsim.spec.builder import Tensor

#: ATen functions of elements -> hwsim's name.
_FUNCTIONS = {
    **{name: name for name in ("relu", "relu6", "elu", "selu", "sigmoid", "silu", "mish", "softplus", "tanh", "exp")},
    **{name: name for name in ("log", "sqrt", "rsqrt", "reciprocal", "erf", "sin", "cos", "abs", "neg", "sign")},
    **{name: name for name in ("floor", "ceil", "round", "square")},
    "leaky_relu": "leaky relu",
    "hardsigmoid": "hard sigmoid",
    "hardswish": "hard swish",
    "hardtanh": "clip",
    "clamp": "clip",
    "clamp_min": "max",
    "clamp_max": "min",
    "logical_not": "not",
    "bitwise_not": "not",
    **{name: name for name in ("add", "sub", "mul", "div", "pow")},
    "rsub": "sub",
    "floor_divide": "div",
    "maximum": "max",
    "minimum": "min",
    "remainder": "mod",
    "fmod": "mod",
    "prelu": "prelu",
    **dict.fromkeys(("eq", "ne", "lt", "le", "gt", "ge"), "compare"),
    **dict.fromkeys(("logical_and", "bitwise_and", "__and__"), "and"),
    **dict.fromkeys(("logical_or", "bitwise_or", "__or__"), "or"),
    "where": "select",
    "masked_fill": "select",
}

#: ATen functions that only rearrange their first operand -> hwsim's name.
_ARRANGEMENTS = {
    **dict.fromkeys(("view", "reshape", "_unsafe_view", "squeeze", "unsqueeze", "unflatten", "view_as"), "reshape"),
    "flatten": "flatten",
    **dict.fromkeys(("select", "slice", "narrow"), "slice"),
    **dict.fromkeys(("expand", "expand_as"), "broadcast"),
    **dict.fromkeys(("repeat", "roll", "flip"), "gather"),
    **dict.fromkeys(("pad", "constant_pad_nd"), "pad"),
    **dict.fromkeys(("upsample_nearest1d", "upsample_nearest2d"), "resize"),
    **dict.fromkeys(("pixel_shuffle", "pixel_unshuffle", "channel_shuffle"), "shuffle"),
}

#: Nothing happens to the elements at inference.
_PASS = (
    "dropout",
    "feature_dropout",
    "alpha_dropout",
    "contiguous",
    "clone",
    "detach",
    "alias",
    "to",
    "_to_copy",
    "type_as",
)

#: Made from the shape of the operand, not from its elements.
OF_SHAPES = frozenset(f"{name}_like" for name in ("zeros", "ones", "full", "empty")) | frozenset(
    f"new_{name}" for name in ("zeros", "ones", "full", "empty")
)

#: Of their second operand only the type or shape matters.
FIRST_ALONE = frozenset(("type_as", "expand_as", "view_as"))

_REDUCTIONS: Mapping[str, Literal["max", "min", "sum", "average"]] = {
    "mean": "average",
    "sum": "sum",
    "amax": "max",
    "amin": "min",
}


@dataclass(frozen=True)
class Call:
    """A node with its arguments by name: tensors as what they stand for, the rest as it is.

    Args:
        kind: ATen name without overload and without the underscore of an in-place function.
        name: for the layer.
        arguments: by the names of the operator's schema, defaults filled in.
        outs: shape of each result.
    """

    kind: str
    name: str
    arguments: Mapping[str, Any]
    outs: tuple[Shape, ...]

    @property
    def out(self) -> Shape:
        """Shape of the first result."""
        return self.outs[0]

    @property
    def operands(self) -> tuple[Known, ...]:
        """All tensors among the arguments, those in lists included."""
        found: list[Known] = []
        for value in self.arguments.values():
            found.extend(v for v in (value if isinstance(value, list | tuple) else (value,)) if isinstance(v, Known))
        return tuple(found)

    @property
    def x(self) -> Tensor:
        """The first argument."""
        first = next(iter(self.arguments.values()))
        if not isinstance(first, Tensor):
            raise ValueError("the first operand is stored")
        return first

    def ints(self, argument: str) -> list[int]:
        """A list of one number for each spatial axis."""
        value = self.arguments[argument]
        axes = len(self.out) - 2
        values = [value] if isinstance(value, int) else list(value)
        return values * axes if len(values) == 1 else values


def _padding(before: Sequence[int], after: Sequence[int]) -> Padding:
    return (*pair(before, 0), *pair(after, 0))


def _conv(tracer: Tracer, call: Call) -> Result:
    dilation, padding = call.ints("dilation"), call.arguments["padding"]
    if padding == "same":
        reach = [d * (k - 1) for d, k in zip(dilation, call.arguments["weight"].shape[2:], strict=True)]
        before = [zeros // 2 for zeros in reach]
        after = [zeros - zeros // 2 for zeros in reach]
    else:
        before = after = [0] * len(dilation) if padding == "valid" else call.ints("padding")
    return tracer.conv(
        call.x,
        call.arguments["weight"],
        call.out,
        call.name,
        stride=call.ints("stride"),
        padding=_padding(before, after),
        dilation=dilation,
        groups=call.arguments["groups"],
        bias=call.arguments["bias"] is not None,
    )


def _linear(tracer: Tracer, call: Call) -> Result:
    bias = call.arguments["bias"]
    return tracer.matmul(call.x, flipped(call.arguments["weight"]), call.out, call.name, bias=bias is not None)


def _matmul(tracer: Tracer, call: Call) -> Result:
    a, b = call.operands
    return tracer.matmul(a, b, call.out, call.name)


def _einsum(tracer: Tracer, call: Call) -> Result:
    if len(call.operands) != 2:
        raise ValueError("hwsim knows only products of two operands")
    return tracer.einsum(call.arguments["equation"], *call.operands, call.out, call.name)


def _matmul_and_add(tracer: Tracer, call: Call) -> Result:
    added, a, b = call.operands
    product = tracer.matmul(a, b, call.out, call.name)
    return tracer.elementwise("add", (product, added), call.out, f"{call.name}.add")


def _attention(tracer: Tracer, call: Call) -> Result:
    queries, keys, values, *_ = call.operands
    if not (isinstance(queries, Tensor) and isinstance(keys, Tensor) and isinstance(values, Tensor)):
        raise ValueError("queries, keys and values must be activations")
    arguments = call.arguments
    return tracer.attention(queries, keys, values, arguments["attn_mask"], arguments["is_causal"], call.name)


def _pool(tracer: Tracer, call: Call) -> Result:
    padding = call.ints("padding")
    made = tracer.pool(
        "max" if call.kind.startswith("max") else "average",
        call.x,
        call.out,
        call.name,
        kernel=call.ints("kernel_size"),
        stride=call.ints("stride"),
        padding=_padding(padding, padding),
        dilation=call.ints("dilation") if "dilation" in call.arguments else [1] * len(padding),
        ceil=call.arguments["ceil_mode"],
    )
    return (made, UNMODELLED) if len(call.outs) > 1 else made


def _adaptive_pool(tracer: Tracer, call: Call) -> Result:
    made = tracer.adaptive_pool("max" if "max" in call.kind else "average", call.x, call.out, call.name)
    return (made, UNMODELLED) if len(call.outs) > 1 else made


def _norm(tracer: Tracer, call: Call) -> Result:
    x, arguments = call.x, call.arguments
    channels, affine = x.shape[1], arguments["weight"] is not None
    match call.kind:
        case "batch_norm":
            if arguments["training"]:
                raise ValueError("a batch norm that measures its input at inference")
            return tracer.norm("batch", x, call.name, channels=channels)
        case "group_norm":
            width = x.elements // x.shape[0] // arguments["num_groups"]
            return tracer.norm("group", x, call.name, channels=channels, width=width, affine=affine)
        case "instance_norm":
            width = prod(x.shape[2:])
            return tracer.norm("instance", x, call.name, channels=channels, width=width, affine=affine)
        case _:
            width = prod(arguments["normalized_shape"])
            kind: Literal["layer", "rms"] = "rms" if call.kind == "rms_norm" else "layer"
            return tracer.norm(kind, x, call.name, channels=width, width=width, affine=affine)


def _softmax(tracer: Tracer, call: Call) -> Result:
    made = tracer.softmax(call.x, call.arguments["dim"], call.name)
    return tracer.unary("log", made, f"{call.name}.log") if call.kind.startswith("log") else made


def _gelu(tracer: Tracer, call: Call) -> Result:
    return tracer.unary("gelu tanh" if call.arguments["approximate"] == "tanh" else "gelu", call.x, call.name)


def _elementwise(tracer: Tracer, call: Call) -> Result:
    return tracer.elementwise(_FUNCTIONS[call.kind], call.operands, call.out, call.name)


def _reduce(tracer: Tracer, call: Call) -> Result:
    return tracer.reduce(_REDUCTIONS[call.kind], call.x, call.out, call.name)


def _lookup(tracer: Tracer, call: Call) -> Result:
    table, *indices = call.operands
    if isinstance(table, Tensor):
        return tracer.rearrange("gather", call.operands, call.out, call.name)
    if len(indices) != 1 or not isinstance(indices[0], Tensor):
        raise ValueError("a lookup in a stored table by several indices")
    return tracer.embedding(table, indices[0], call.out, call.name)


def _rearrange(tracer: Tracer, call: Call) -> Result:
    return tracer.rearrange(_ARRANGEMENTS[call.kind], (call.x,), call.out, call.name)


def _join(tracer: Tracer, call: Call) -> Result:
    return tracer.rearrange("concat", call.operands, call.out, call.name)


def _split(tracer: Tracer, call: Call) -> Result:
    return tuple(tracer.rearrange("slice", (call.x,), out, call.name) for out in call.outs)


def _transpose(tracer: Tracer, call: Call) -> Result:
    axes = list(range(len(call.x.shape)))
    match call.kind:
        case "permute":
            order = [axes[axis] for axis in call.arguments["dims"]]
        case "transpose" | "swapaxes" | "swapdims":
            _, first, second = call.arguments.values()
            order = axes.copy()
            order[first], order[second] = axes[second], axes[first]
        case "mT":
            order = [*axes[:-2], axes[-1], axes[-2]]
        case _:
            order = axes[::-1]
    return tracer.transpose(call.x, order, call.out, call.name)


def _same(tracer: Tracer, call: Call) -> Result:
    return Tensor(call.x.source, call.out)


HANDLERS: dict[str, Callable[[Tracer, Call], Result]] = {
    **dict.fromkeys(("conv1d", "conv2d"), _conv),
    "einsum": _einsum,
    "linear": _linear,
    **dict.fromkeys(("matmul", "mm", "bmm", "mv"), _matmul),
    **dict.fromkeys(("addmm", "baddbmm"), _matmul_and_add),
    "scaled_dot_product_attention": _attention,
    **dict.fromkeys(("max_pool1d", "max_pool2d", "max_pool2d_with_indices", "avg_pool1d", "avg_pool2d"), _pool),
    **dict.fromkeys(("adaptive_avg_pool1d", "adaptive_avg_pool2d"), _adaptive_pool),
    **dict.fromkeys(("adaptive_max_pool1d", "adaptive_max_pool2d"), _adaptive_pool),
    **dict.fromkeys(("batch_norm", "layer_norm", "group_norm", "instance_norm", "rms_norm"), _norm),
    **dict.fromkeys(("softmax", "log_softmax"), _softmax),
    "gelu": _gelu,
    **dict.fromkeys(_FUNCTIONS, _elementwise),
    **dict.fromkeys(_REDUCTIONS, _reduce),
    **dict.fromkeys(("embedding", "index_select", "index", "gather"), _lookup),
    **dict.fromkeys(_ARRANGEMENTS, _rearrange),
    **dict.fromkeys(("cat", "concat", "stack"), _join),
    **dict.fromkeys(("chunk", "split", "split_with_sizes", "tensor_split", "unbind"), _split),
    **dict.fromkeys(("permute", "transpose", "swapaxes", "swapdims", "t", "mT", "numpy_T"), _transpose),
    **dict.fromkeys(_PASS, _same),
}
