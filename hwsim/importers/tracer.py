"""What the importers share: from a framework's nodes and shapes to layers, at a batch of one.

Shapes here are the framework's: they begin with the batch of one. Each method takes the shape that the framework has
inferred for the result, and refuses to go on where the operator would make another number of elements.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from typing import Literal

from hwsim.errors import Fault, SpecError
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
from hwsim.operators.window import Padding, Pair
from hwsim.spec.builder import Builder, Tensor
from hwsim.spec.network import Input, Layer, Network

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Constant:
    """A value known before the run: a parameter, or what is computed from nothing but parameters."""

    shape: Shape

    @property
    def elements(self) -> int:
        """Size [elements]."""
        return prod(self.shape)


class Unsized(Constant):
    """A constant whose shape the framework does not know. Nothing may depend on its size."""

    @property
    def elements(self) -> int:
        """No answer."""
        raise ValueError("the shape of a constant operand cannot be inferred")


@dataclass(frozen=True)
class Broken(Constant):
    """Stands for what hwsim cannot say. To read it is a fault, for that reason; without one it is noted already."""

    reason: str = ""


BROKEN = Broken(())
UNMODELLED = Broken((), "a further result of an operator that hwsim does not model")

#: What a value of the graph stands for.
Known = Tensor | Constant

#: What a node of the graph makes.
Result = Known | tuple[Known, ...]


def flipped(value: Known) -> Known:
    """The other order of the last two axes, which a loop nest addresses at no cost."""
    return replace(value, shape=(*value.shape[:-2], value.shape[-1], value.shape[-2]))


def pair(values: Sequence[int], lead: int = 1) -> Pair:
    """Two directions; a one-dimensional operator works on an image of height one."""
    if len(values) not in (1, 2):
        raise ValueError(f"{len(values)} spatial axes, but hwsim knows one and two")
    return (lead, values[0]) if len(values) == 1 else (values[0], values[1])


@dataclass
class Tracer:
    """Collects layers and faults.

    Args:
        name: of the network.
        file: what the faults refer to.
    """

    name: str
    file: str
    builder: Builder = field(init=False)
    faults: list[Fault] = field(default_factory=list)
    _taken: set[str] = field(default_factory=set)
    _column_biases: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.builder = Builder(self.name)

    def input(self, name: str, shape: Shape) -> Tensor:
        """A tensor from outside, with the batch of one in front."""
        self.builder.inputs.append(Input(name, shape[1:] if shape[:1] == (1,) else shape))
        self._taken.add(name)
        return Tensor(name, shape)

    def fault(self, operator: str, node: str, message: str) -> None:
        """Note what cannot be imported; `finish` raises all at once."""
        self.faults.append(Fault(message, file=self.file, field=f"{operator} in layer {node}"))

    def blocked(self, operator: str, node: str, operands: Iterable[object]) -> bool:
        """An operand is broken, so that nothing can be said of the node; notes a fault where none is noted yet."""
        broken = [operand for operand in operands if isinstance(operand, Broken)]
        for reason in {operand.reason for operand in broken if operand.reason}:
            self.fault(operator, node, f"reads {reason}")
        return bool(broken)

    def add(self, operator: Operator, out: Shape, *operands: Tensor, name: str) -> Tensor:
        """A layer, under a name that is free."""
        if operator.output_elements != prod(out):
            raise ValueError(f"hwsim expects {operator.output_elements} results, the model has the shape {out}")
        free, count = name, 1
        while free in self._taken:
            count += 1
            free = f"{name}_{count}"
        self._taken.add(free)
        return self.builder.add(operator, out, *operands, name=free)

    def conv(
        self,
        x: Tensor,
        weight: Known,
        out: Shape,
        name: str,
        *,
        stride: Sequence[int],
        padding: Padding,
        dilation: Sequence[int],
        groups: int,
        bias: bool,
    ) -> Tensor:
        """Convolution in one or two dimensions; the weight is (out, in / groups, *kernel)."""
        if not isinstance(weight, Constant):
            raise ValueError("the weights of a convolution must be stored")
        channels = weight.shape[1] * groups
        if x.shape[1] != channels:
            raise ValueError(f"the weights are for {channels} input channels, the input has {x.shape[1]}")
        operator = Conv2d(
            in_channels=x.shape[1],
            out_channels=weight.shape[0],
            kernel=pair(weight.shape[2:]),
            image=_image(x),
            stride=pair(stride),
            padding=padding,
            dilation=pair(dilation),
            groups=groups,
            bias="channel" if bias else "none",
        )
        return self.add(operator, out, x, name=name)

    def matmul(self, a: Known, b: Known, out: Shape, name: str, bias: bool = False) -> Tensor:
        """Product of the last two axes: `Gemm` where one side is stored, `BatchedGemm` between activations."""
        if isinstance(a, Constant) or isinstance(b, Constant):
            x, weight = (b, a) if isinstance(a, Constant) else (a, b)
            inner = weight.shape[-1] if isinstance(a, Constant) else weight.shape[max(-2, -len(weight.shape))]
            if not isinstance(x, Tensor):
                raise ValueError("both operands are stored")
            if len([size for size in weight.shape if size > 1]) > 2:
                raise ValueError("a stored operand with more than two axes: no operator of hwsim has weights by head")
            operator = Gemm(inner, weight.elements // inner, rows=x.elements // inner, bias=bias)
            return self.add(operator, out, x, name=name)
        inner = a.shape[-1]
        columns = b.shape[-1] if len(b.shape) > 1 else 1
        heads = b.elements // (inner * columns)
        return self.add(BatchedGemm(heads, a.elements // (heads * inner), inner, columns), out, a, b, name=name)

    def einsum(self, equation: str, a: Known, b: Known, out: Shape, name: str) -> Tensor:
        """Sum of products of two operands: a matrix product once its axes are sorted into heads, rows and columns."""
        left, _, result = equation.replace(" ", "").partition("->")
        terms = left.split(",")
        if len(terms) != 2 or "." in equation or any(len(set(term)) < len(term) for term in terms):
            raise ValueError(f"einsum {equation!r}, but hwsim knows only products of two operands with named axes")
        sizes = dict(zip("".join(terms), (*a.shape, *b.shape), strict=True))
        first, second, wanted = set(terms[0]), set(terms[1]), set(result)
        if not first ^ second <= wanted:
            raise ValueError(f"einsum {equation!r} sums over an axis of one operand alone")

        def size(axes: set[str]) -> int:
            return prod(sizes[axis] for axis in axes)

        heads, inner = size(first & second & wanted), size(first & second - wanted)
        a = replace(a, shape=(heads, size(first - second), inner))
        b = replace(b, shape=(heads, inner, size(second - first)))
        return self.matmul(a, b, out, name)

    def attention(
        self, queries: Tensor, keys: Tensor, values: Tensor, mask: Known | None, causal: bool, name: str
    ) -> Tensor:
        """Scaled dot-product attention; several query heads may share a key head."""
        tokens, inner, width = keys.shape[-2], keys.shape[-1], values.shape[-1]
        heads = keys.elements // (tokens * inner)
        rows = queries.elements // (heads * inner)
        shape = (*queries.shape[:-1], tokens)
        scores = self.add(BatchedGemm(heads, rows, inner, tokens), shape, queries, keys, name=f"{name}.scores")
        scores = self.unary("mul", scores, f"{name}.scale")
        if causal:
            scores = self.unary("add", scores, f"{name}.causal")
        if mask is not None:
            scores = self.elementwise("add", (scores, mask), shape, f"{name}.mask")
        scores = self.softmax(scores, -1, f"{name}.softmax")
        out = (*queries.shape[:-1], width)
        return self.add(BatchedGemm(heads, rows, tokens, width), out, scores, values, name=f"{name}.context")

    def pool(
        self,
        kind: Literal["max", "average"],
        x: Tensor,
        out: Shape,
        name: str,
        *,
        kernel: Sequence[int],
        stride: Sequence[int],
        padding: Padding,
        dilation: Sequence[int] = (1, 1),
        ceil: bool = False,
    ) -> Tensor:
        """Sliding window; no stride means windows side by side."""
        operator = Pool(
            kind=kind,
            channels=x.shape[1],
            kernel=pair(kernel),
            image=_image(x),
            stride=pair(stride or kernel),
            padding=padding,
            dilation=pair(dilation),
            ceil=ceil,
        )
        return self.add(operator, out, x, name=name)

    def adaptive_pool(self, kind: Literal["max", "average"], x: Tensor, out: Shape, name: str) -> Tensor:
        """Windows that adapt to the shape of the result."""
        if out == x.shape:
            return x
        return self.add(AdaptivePool(kind, x.shape[1], _image(x), pair(out[2:])), out, x, name=name)

    def reduce(self, kind: Literal["max", "min", "sum", "average"], x: Tensor, out: Shape, name: str) -> Tensor:
        """Reduction to the shape of the result."""
        return self.add(Reduction(kind, prod(out), x.elements // prod(out)), out, x, name=name)

    def norm(
        self,
        kind: Literal["batch", "layer", "group", "instance", "rms"],
        x: Tensor,
        name: str,
        *,
        channels: int,
        width: int = 1,
        affine: bool = True,
    ) -> Tensor:
        """Normalisation, `width` elements to a mean."""
        return self.add(Normalization(kind, x.elements, channels, width, affine), x.shape, x, name=name)

    def softmax(self, x: Tensor, axis: int, name: str) -> Tensor:
        """Softmax along one axis."""
        width = x.shape[axis]
        return self.add(Softmax(x.elements // width, width), x.shape, x, name=name)

    def unary(self, kind: str, x: Tensor, name: str) -> Tensor:
        """A function of one element."""
        return self.add(Elementwise(kind, x.elements), x.shape, x, name=name)

    def elementwise(self, kind: str, operands: Iterable[Known], out: Shape, name: str) -> Tensor:
        """A function of several elements. Constants of one element are part of the function."""
        distinct = tuple(dict.fromkeys(operands))
        tensors = tuple(operand for operand in distinct if isinstance(operand, Tensor))
        constants = [operand for operand in distinct if isinstance(operand, Constant) and operand.elements > 1]
        sizes = tuple(tensor.elements for tensor in tensors)
        operator = Elementwise(kind, prod(out), sizes, sum(constant.elements for constant in constants))
        made = self.add(operator, out, *tensors, name=name)
        if kind == "add" and len(tensors) == len(constants) == 1 and constants[0].shape[-1] == constants[0].elements:
            self._column_biases.add(made.source)
        return made

    def embedding(self, table: Constant, indices: Tensor, out: Shape, name: str) -> Tensor:
        """Rows of a stored table."""
        entries = table.shape[0]
        return self.add(Embedding(entries, table.elements // entries, indices.elements), out, indices, name=name)

    def rearrange(self, kind: str, operands: Iterable[Known], out: Shape, name: str) -> Tensor:
        """A view or data movement; constants among the operands are stored."""
        operands = tuple(operands)
        tensors = tuple(operand for operand in operands if isinstance(operand, Tensor))
        stored = sum(operand.elements for operand in operands if isinstance(operand, Constant))
        operator = Rearrange(kind, prod(out), tuple(tensor.elements for tensor in tensors), stored)
        return self.add(operator, out, *tensors, name=name)

    def transpose(self, x: Tensor, order: Sequence[int], out: Shape, name: str) -> Tensor:
        """Axes in another order; one that only moves axes of size one leaves the elements where they are."""
        kept = [axis for axis in order if x.shape[axis] > 1]
        return self.rearrange("reshape" if kept == sorted(kept) else "transpose", (x,), out, name)

    def finish(self, outputs: Iterable[Known]) -> Network:
        """The network that makes the outputs; what only leads elsewhere is left out.

        Raises:
            SpecError: all faults noted.
        """
        outputs = tuple(outputs)
        for reason in {value.reason for value in outputs if isinstance(value, Broken) and value.reason}:
            self.faults.append(Fault(f"the model returns {reason}", file=self.file))
        results = {value.source for value in outputs if isinstance(value, Tensor)}
        if not self.faults and not results - {source.name for source in self.builder.inputs}:
            self.faults.append(Fault("no output depends on an input", file=self.file))
        if self.faults:
            raise SpecError(self.faults)
        wanted = set(results)
        for layer in reversed(self.builder.layers):
            if layer.name in wanted:
                wanted.update(layer.inputs)
        self.builder.layers = [layer for layer in self.builder.layers if layer.name in wanted]
        self._merge_biases(results)
        try:
            return self.builder.build(results=results)
        except ValueError as error:
            raise SpecError([Fault(str(error), file=self.file)]) from None

    def _merge_biases(self, results: set[str]) -> None:
        """An added row of constants directly after a `Gemm` is its bias."""
        readers = Counter(name for layer in self.builder.layers for name in layer.inputs)
        layers: dict[str, Layer] = {}
        stands_for: dict[str, str] = {}
        for layer in self.builder.layers:
            inputs = tuple(stands_for.get(name, name) for name in layer.inputs)
            host = layers.get(inputs[0]) if layer.name in self._column_biases else None
            alone = readers[layer.inputs[0]] == 1 and layer.inputs[0] not in results if layer.inputs else False
            if (
                host is not None
                and alone
                and isinstance(host.operator, Gemm)
                and not host.operator.bias
                and isinstance(layer.operator, Elementwise)
                and layer.operator.constants == host.operator.out_features
            ):
                layers[host.name] = replace(host, operator=replace(host.operator, bias=True))
                stands_for[layer.name] = host.name
            else:
                layers[layer.name] = replace(layer, inputs=inputs)
        self.builder.layers = list(layers.values())
        results.update(stands_for[name] for name in results & stands_for.keys())


def _image(x: Tensor) -> Pair:
    if x.shape[0] != 1:
        raise ValueError(f"the shape {x.shape} has no batch of one in front; hwsim scales the batch itself")
    return pair(x.shape[2:])
