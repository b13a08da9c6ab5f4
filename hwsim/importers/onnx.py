"""ONNX model → Network. Only shapes are read: weights, also those in files beside the model, stay where they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hwsim.errors import Fault, SpecError
from hwsim.importers.onnx_operators import HANDLERS, Node
from hwsim.importers.onnx_shapes import SHAPE_CONSTANT, infer
from hwsim.importers.tracer import BROKEN, UNMODELLED, Constant, Known, Shape, Tracer, Unsized
from hwsim.spec.builder import Tensor
from hwsim.spec.network import Network

#: Largest file that is opened: protobuf's own limit [bytes].
MAX_BYTES = 2**31

#: Largest graph [nodes].
MAX_NODES = 100_000

#: Their results depend on the shape of their operand, not on its elements.
_OF_SHAPES = frozenset({"Shape", "Size"})

#: Of their second operand only the type matters.
_OF_TYPES = frozenset({"CastLike"})


def from_onnx(path: str | Path, input_shapes: Sequence[Shape] | None = None) -> Network:
    """The network of an .onnx file, for one sample.

    A symbolic first axis of an input is the batch. Quantisation nodes are passed through: bits are the ensemble's.

    Args:
        path: the file.
        input_shapes: for each input the shape of one sample; needed where axes other than the batch are symbolic.

    Raises:
        SpecError: the file cannot be read or understood, or has operators that hwsim does not know: all of them, each
            named with its node.
    """
    path = Path(path)
    try:
        from onnx.inliner import inline_local_functions
        from onnx.shape_inference import InferenceError
    except ImportError as error:
        raise _refuse(path, "onnx is not installed: pip install hwsim[onnx]") from error

    model = _load(path)
    try:
        model = inline_local_functions(model) if model.functions else model
        constants = _take_weights(model)
        tracer = Tracer(path.stem, str(path))
        values: dict[str, Known] = dict(constants)
        values.update(_inputs(tracer, model, input_shapes, constants))
        if tracer.faults:
            raise SpecError(tracer.faults)
        shapes = infer(model)
    except (InferenceError, RuntimeError, ValueError) as error:
        raise _refuse(path, f"not a valid ONNX model: {_first_line(error)}") from error
    opset = max((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), default=1)
    for node in model.graph.node:
        made = _convert(tracer, node, values, shapes, opset)
        values.update((name, value) for name, value in zip(node.output, made, strict=False) if name)
    for output in model.graph.output:
        if output.name not in values:
            tracer.fault("output", output.name, "no node makes it")
    return tracer.finish([values.get(output.name, BROKEN) for output in model.graph.output])


def _load(path: Path) -> Any:
    import onnx

    try:
        if path.stat().st_size > MAX_BYTES:
            raise _refuse(path, f"larger than {MAX_BYTES} bytes; store the weights beside the model")
        model = onnx.load(path, format="protobuf", load_external_data=False)
    except OSError as error:
        raise _refuse(path, f"cannot be read: {error.strerror or error}") from error
    except SpecError:
        raise
    except Exception as error:  # protobuf's DecodeError, whose class is not part of onnx
        raise _refuse(path, f"not an ONNX model: {_first_line(error)}") from error
    if not model.graph.node:
        raise _refuse(path, "not an ONNX model: it has no nodes")
    if len(model.graph.node) > MAX_NODES:
        raise _refuse(path, f"{len(model.graph.node)} nodes, more than {MAX_NODES}")
    return model


def _refuse(path: Path, message: str) -> SpecError:
    return SpecError([Fault(message, file=str(path))])


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _take_weights(model: Any) -> dict[str, Known]:
    """The stored tensors; those that cannot describe shapes leave the model, and only their type stays as an input."""
    from onnx.helper import make_tensor_value_info

    graph = model.graph
    constants: dict[str, Known] = {tensor.name: Constant(tuple(tensor.dims)) for tensor in graph.initializer}
    constants.update((tensor.values.name, Constant(tuple(tensor.dims))) for tensor in graph.sparse_initializer)
    large = [tensor for tensor in graph.initializer if constants[tensor.name].elements > SHAPE_CONSTANT]
    listed = {source.name for source in graph.input}
    graph.input.extend(
        make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims))
        for tensor in large
        if tensor.name not in listed
    )
    for tensor in large:
        graph.initializer.remove(tensor)
    return constants


def _inputs(
    tracer: Tracer, model: Any, shapes: Sequence[Shape] | None, constants: Mapping[str, Known]
) -> dict[str, Known]:
    """The tensors from outside, with every axis fixed in the model too, so that inference starts from numbers."""
    sources = [source for source in model.graph.input if source.name not in constants]
    if shapes is not None and len(shapes) != len(sources):
        names = ", ".join(source.name for source in sources)
        tracer.faults.append(Fault(f"{len(shapes)} input shapes for the inputs {names}", file=tracer.file))
        return {}
    found: dict[str, Known] = {}
    for index, source in enumerate(sources):
        given = shapes[index] if shapes is not None else None
        axes = source.type.tensor_type.shape.dim
        sizes = [axis.dim_value if axis.WhichOneof("value") == "dim_value" else None for axis in axes]
        if sizes and sizes[0] is None:
            sizes[0] = 1
        if given is not None:
            whole = [*sizes[: len(sizes) - len(given)], *given]
            if len(whole) != len(sizes) or len(sizes) - len(given) > 1:
                message = f"has {len(sizes)} axes with the batch, the shape given has {len(given)}"
                tracer.fault("input", source.name, message)
                continue
            sizes = whole
        elif len(sizes) > 1 and sizes[0] is not None and sizes[0] > 1:
            message = f"the first axis is {sizes[0]}: export with a batch of one, or give the shape of a sample"
            tracer.fault("input", source.name, message)
            continue
        bad = [axis for axis, size in enumerate(sizes) if size is None or size < 1]
        if bad:
            tracer.fault("input", source.name, f"axis {bad[0]} has no size: give the shape of a sample")
            continue
        shape = tuple(size for size in sizes if size is not None)
        for axis, size in zip(axes, shape, strict=True):
            axis.dim_value = size
        found[source.name] = tracer.input(source.name, shape)
    del model.graph.value_info[:]
    for output in model.graph.output:
        output.type.tensor_type.ClearField("shape")
    return found


def _convert(
    tracer: Tracer, node: Any, values: Mapping[str, Known], shapes: Mapping[str, Shape], opset: int
) -> Sequence[Known]:
    """What a node makes; a fault is noted where hwsim cannot say."""
    import onnx

    name = node.name or next(iter(node.output), "")
    kind = node.op_type if node.domain in ("", "ai.onnx") else f"{node.domain}.{node.op_type}"
    broken = [BROKEN] * len(node.output)

    def refuse(message: str) -> Sequence[Known]:
        tracer.fault(kind, name, message)
        return broken

    if not node.output:
        return refuse("has no result")
    missing = [source for source in node.input if source and source not in values]
    if missing:
        return refuse(f"reads {missing[0]}, which no earlier node makes")
    inputs = tuple(values[source] if source else None for source in node.input)
    if tracer.blocked(kind, name, inputs):
        return broken
    outs = [shapes.get(result) for result in node.output]
    if any(attribute.type in (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS) for attribute in node.attribute):
        return refuse("hwsim knows no operators that run other graphs")
    deciding = inputs[:1] if kind in _OF_TYPES else inputs
    if kind in _OF_SHAPES or not any(isinstance(value, Tensor) for value in deciding):
        return [Unsized(()) if out is None else Constant(out) for out in outs]
    if kind not in HANDLERS:
        return refuse("hwsim knows no such operator")
    if outs[0] is None:
        return refuse("the shape of its result cannot be inferred")
    try:
        attributes = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}
        made = HANDLERS[kind](tracer, Node(kind, name, inputs, attributes, tuple(outs), opset))
    except ValueError as error:
        return refuse(str(error))
    except (ArithmeticError, AttributeError, LookupError, TypeError) as error:  # operands or attributes are missing
        return refuse(f"is malformed: {type(error).__name__}: {error}")
    made = made if isinstance(made, tuple) else (made,)
    return [*made, *[UNMODELLED] * (len(node.output) - len(made))]
