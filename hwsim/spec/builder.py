"""Write a network down operator by operator; sizes follow from the tensors."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Literal

from hwsim.operators import (
    AdaptivePool,
    BatchedGemm,
    Conv2d,
    Elementwise,
    Embedding,
    Gemm,
    Normalization,
    Operator,
    Pool,
    Rearrange,
    Reduction,
    Softmax,
)
from hwsim.operators.window import Padding, Pair, same
from hwsim.spec.folding import fold
from hwsim.spec.network import Input, Layer, Network


@dataclass(frozen=True)
class Tensor:
    """The result of a layer, or a network input.

    Args:
        source: name of the layer or input.
        shape: of one sample: channels, height, width of an image; features last.
    """

    source: str
    shape: tuple[int, ...]

    @property
    def elements(self) -> int:
        """Of one sample [elements]."""
        return prod(self.shape)


def _pair(value: int | Sequence[int]) -> Pair:
    return (value, value) if isinstance(value, int) else (value[0], value[1])


@dataclass
class Builder:
    """Collects layers in the order in which they are called for; `build` folds norms and activation functions.

    Every method takes the tensors that it reads, returns the one that it makes, and names its layer by `name` or else
    by the operator and a running number.
    """

    name: str
    inputs: list[Input] = field(default_factory=list)
    layers: list[Layer] = field(default_factory=list)

    def input(self, name: str, *shape: int) -> Tensor:
        """A tensor from outside, `shape` for one sample."""
        self.inputs.append(Input(name, shape))
        return Tensor(name, shape)

    def add(self, operator: Operator, shape: Sequence[int], *operands: Tensor, name: str = "") -> Tensor:
        """Any operator; `shape` is that of its result."""
        if not name:
            kind = operator.label.replace(" ", "_")
            name = f"{kind}{1 + sum(layer.operator.label == operator.label for layer in self.layers)}"
        self.layers.append(Layer(name, operator, inputs=tuple(tensor.source for tensor in operands)))
        return Tensor(name, tuple(shape))

    def build(self, results: Iterable[str] = ()) -> Network:
        """The network with norms and activation functions folded; `results` are layers that nothing may fuse into."""
        return Network(self.name, tuple(self.inputs), fold(self.layers, results))

    def conv(
        self,
        x: Tensor,
        channels: int,
        kernel: int | Pair,
        stride: int | Pair = 1,
        padding: int | Padding | Literal["same"] = 0,
        dilation: int | Pair = 1,
        groups: int = 1,
        bias: bool | Literal["position"] = False,
        name: str = "",
    ) -> Tensor:
        """`Conv2d` to `channels` channels; an int of padding goes all around."""
        operator = Conv2d(
            in_channels=x.shape[0],
            out_channels=channels,
            kernel=_pair(kernel),
            image=_pair(x.shape[1:]),
            stride=_pair(stride),
            padding=_padding(x, kernel, stride, padding, dilation),
            dilation=_pair(dilation),
            groups=groups,
            bias="position" if bias == "position" else "channel" if bias else "none",
        )
        return self.add(operator, (channels, *operator.output), x, name=name)

    def linear(self, x: Tensor, features: int, bias: bool = True, name: str = "") -> Tensor:
        """`Gemm` over the last axis."""
        operator = Gemm(x.shape[-1], features, rows=prod(x.shape[:-1]), bias=bias)
        return self.add(operator, (*x.shape[:-1], features), x, name=name)

    def matmul(self, a: Tensor, b: Tensor, heads: int, columns: int, name: str = "") -> Tensor:
        """`BatchedGemm` between activations: `a` is (rows, heads * inner) or (heads, rows, inner), likewise `b`.

        The result keeps the heads apart: (heads, rows, columns).
        """
        inner = b.elements // (heads * columns)
        rows = a.elements // (heads * inner)
        return self.add(BatchedGemm(heads, rows, inner, columns), (heads, rows, columns), a, b, name=name)

    def pool(
        self,
        kind: Literal["max", "average"],
        x: Tensor,
        kernel: int | Pair,
        stride: int | Pair | None = None,
        padding: int | Padding | Literal["same"] = 0,
        dilation: int | Pair = 1,
        ceil: bool = False,
        name: str = "",
    ) -> Tensor:
        """`Pool`; windows lie side by side if no stride is given."""
        stride = kernel if stride is None else stride
        operator = Pool(
            kind=kind,
            channels=x.shape[0],
            kernel=_pair(kernel),
            image=_pair(x.shape[1:]),
            stride=_pair(stride),
            padding=_padding(x, kernel, stride, padding, dilation),
            dilation=_pair(dilation),
            ceil=ceil,
        )
        return self.add(operator, (x.shape[0], *operator.output), x, name=name)

    def adaptive_pool(
        self, kind: Literal["max", "average"], x: Tensor, output: int | Pair = 1, name: str = ""
    ) -> Tensor:
        """`AdaptivePool`; none where the image already has the size of the output."""
        if _pair(output) == x.shape[1:]:
            return x
        operator = AdaptivePool(kind, x.shape[0], _pair(x.shape[1:]), _pair(output))
        return self.add(operator, (x.shape[0], *operator.output), x, name=name)

    def reduce(
        self, kind: Literal["max", "min", "sum", "average"], x: Tensor, shape: Sequence[int], name: str = ""
    ) -> Tensor:
        """`Reduction` to a smaller shape."""
        return self.add(Reduction(kind, prod(shape), x.elements // prod(shape)), shape, x, name=name)

    def batch_norm(self, x: Tensor, name: str = "") -> Tensor:
        """Batch norm over channels, the first axis."""
        return self.add(Normalization("batch", x.elements, x.shape[0]), x.shape, x, name=name)

    def layer_norm(self, x: Tensor, affine: bool = True, name: str = "") -> Tensor:
        """Layer norm over the last axis."""
        width = x.shape[-1]
        return self.add(Normalization("layer", x.elements, width, width, affine), x.shape, x, name=name)

    def unary(self, kind: str, x: Tensor, name: str = "") -> Tensor:
        """An activation function: a key of `hwsim.operators.elementwise.UNARY`."""
        return self.add(Elementwise(kind, x.elements), x.shape, x, name=name)

    def binary(self, kind: str, *operands: Tensor, constants: int = 0, name: str = "") -> Tensor:
        """Arithmetic between tensors, or with `constants` learned elements; the result has the largest one's shape."""
        largest = max(operands, key=lambda tensor: tensor.elements)
        sizes = tuple(tensor.elements for tensor in operands)
        return self.add(Elementwise(kind, largest.elements, sizes, constants), largest.shape, *operands, name=name)

    def softmax(self, x: Tensor, name: str = "") -> Tensor:
        """Softmax over the last axis."""
        return self.add(Softmax(prod(x.shape[:-1]), x.shape[-1]), x.shape, x, name=name)

    def rearrange(
        self, kind: str, shape: Sequence[int], *operands: Tensor, constants: int = 0, name: str = ""
    ) -> Tensor:
        """A view or data movement to `shape`: a kind of `hwsim.operators.rearrange`."""
        sizes = tuple(tensor.elements for tensor in operands)
        return self.add(Rearrange(kind, prod(shape), sizes, constants), shape, *operands, name=name)

    def flatten(self, x: Tensor, name: str = "") -> Tensor:
        """All axes become one: a view."""
        return self.rearrange("flatten", (x.elements,), x, name=name)

    def embedding(self, x: Tensor, entries: int, width: int, name: str = "") -> Tensor:
        """A row of a table for every index."""
        return self.add(Embedding(entries, width, x.elements), (*x.shape, width), x, name=name)


def _padding(
    x: Tensor,
    kernel: int | Pair,
    stride: int | Pair,
    padding: int | Padding | Literal["same"],
    dilation: int | Pair,
) -> Padding:
    if padding == "same":
        return same(_pair(x.shape[1:]), _pair(kernel), _pair(stride), _pair(dilation))
    return (padding,) * 4 if isinstance(padding, int) else padding
