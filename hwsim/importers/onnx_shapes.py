"""Shapes of every tensor of an ONNX model, also where the model computes them itself.

Exporters write `reshape(x, [x.shape[0], -1])` as a small program of Shape, Gather, Concat, and so on. ONNX's inference
follows the simpler ones. Where it stops, these programs are run, their results put in their place, and it starts again.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import prod
from typing import Any

from hwsim.importers.tracer import Shape

#: Largest constant that may describe a shape [elements]. A program never makes a larger one, whatever the model says.
SHAPE_CONSTANT = 64

#: Operators of such programs whose results are bounded by the product of their operands' sizes.
_ARITHMETIC = frozenset(
    (
        *("Abs", "Add", "And", "Cast", "Ceil", "Concat", "Div", "Equal", "Floor", "Gather", "Greater", "Identity"),
        *("Less", "Max", "Min", "Mod", "Mul", "Neg", "Not", "Or", "Pow", "ReduceMax", "ReduceMin", "ReduceProd"),
        *("ReduceSum", "Reshape", "Slice", "Split", "Sqrt", "Squeeze", "Sub", "Transpose", "Unsqueeze", "Where"),
    )
)


def infer(model: Any) -> dict[str, Shape]:
    """Shapes by name of the tensor, where they can be known.

    Args:
        model: an onnx.ModelProto whose inputs have fixed shapes; it is not changed.
    """
    from onnx import numpy_helper
    from onnx.shape_inference import infer_shapes

    sketch = _sketch(model)
    values = {tensor.name: numpy_helper.to_array(tensor) for tensor in sketch.graph.initializer if _small(tensor.dims)}
    known = set(values)
    while True:
        inferred = infer_shapes(sketch, data_prop=True)
        graph = inferred.graph
        found = {info.name: _shape(info) for info in (*graph.input, *graph.value_info, *graph.output)}
        shapes = {name: shape for name, shape in found.items() if shape is not None}
        shapes |= {name: value.shape for name, value in values.items()}
        if all(name in shapes for node in graph.node for name in node.output):
            return shapes
        _run(sketch, shapes, values)
        new = values.keys() - known
        if not new:
            return shapes
        known |= new
        kept = [node for node in sketch.graph.node if not set(node.output) <= known]
        del sketch.graph.node[:]
        sketch.graph.node.extend(kept)
        sketch.graph.initializer.extend(numpy_helper.from_array(values[name], name) for name in sorted(new))


def _sketch(model: Any) -> Any:
    """A copy with the same shapes, in which inference does not stop at a group norm, of which it knows nothing."""
    copy = type(model)()
    copy.CopyFrom(model)
    for node in copy.graph.node:
        if node.op_type == "GroupNormalization":
            node.op_type = "Identity"
            del node.input[1:], node.attribute[:]
    return copy


def _shape(info: Any) -> Shape | None:
    tensor = info.type.tensor_type
    sizes = [axis.dim_value if axis.WhichOneof("value") == "dim_value" else None for axis in tensor.shape.dim]
    if not tensor.HasField("shape") or None in sizes:
        return None
    return tuple(size for size in sizes if size is not None)


def _small(sizes: Iterable[int]) -> bool:
    return prod(sizes) <= SHAPE_CONSTANT


def _run(model: Any, shapes: dict[str, Shape], values: dict[str, Any]) -> None:
    """Add to `values` what follows from shapes and from other values."""
    import numpy
    from onnx.reference import ReferenceEvaluator

    for node in model.graph.node:
        if node.op_type in ("Shape", "Size") and len(node.input) == len(node.output) == 1 and node.input[0] in shapes:
            bounds = {attribute.name: attribute.i for attribute in node.attribute}
            shape = shapes[node.input[0]][bounds.get("start", 0) : bounds.get("end")]
            values[node.output[0]] = numpy.array(shape if node.op_type == "Shape" else prod(shape), numpy.int64)
        elif all(not name or name in values for name in node.input):
            program = _alone(model, node)
            try:
                with numpy.errstate(all="ignore"):
                    made = ReferenceEvaluator(program).run(None, values) if _bounded(node, values) else []
            except Exception:  # a program that fails describes no shape, and whoever reads it is the one at fault
                continue
            if all(isinstance(result, numpy.ndarray) and _small(result.shape) for result in made):
                values.update(zip(node.output, made, strict=False))


def _bounded(node: Any, values: dict[str, Any]) -> bool:
    """The result cannot be large: at most a few thousand elements."""
    operands = [values[name] for name in node.input if name]
    match node.op_type:
        case "Constant":
            return all(_small(attribute.t.dims) for attribute in node.attribute)
        case "ConstantOfShape":
            return _small([int(size) for size in operands[0].flat])
        case "Expand" | "Tile":
            return _small([max(1, int(size)) for size in operands[1].flat])
        case "Range":
            start, limit, delta = (float(operand) for operand in operands)
            return bool(delta != 0 and abs(limit - start) <= SHAPE_CONSTANT * abs(delta))
        case kind:
            return str(kind) in _ARITHMETIC


def _alone(model: Any, node: Any) -> Any:
    """A model of one node."""
    from onnx import ValueInfoProto
    from onnx.helper import make_graph, make_model

    inputs = [ValueInfoProto(name=name) for name in dict.fromkeys(node.input) if name]
    outputs = [ValueInfoProto(name=name) for name in node.output]
    graph = make_graph([node], "node", inputs, outputs)
    return make_model(graph, opset_imports=list(model.opset_import), ir_version=model.ir_version)
