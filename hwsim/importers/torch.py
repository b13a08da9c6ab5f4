"""torch.nn.Module → Network, by way of torch.export's ATen graph."""

from __future__ import annotations

import operator
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hwsim.errors import Fault, SpecError
from hwsim.importers.aten import FIRST_ALONE, HANDLERS, OF_SHAPES, Call
from hwsim.importers.tracer import BROKEN, Constant, Known, Result, Shape, Tracer
from hwsim.spec.network import Network

#: Checks that leave no value behind.
_CHECKS = frozenset(("_assert_async", "_assert_scalar", "_assert_tensor_metadata", "sym_constrain_range"))

#: Run a part of the graph without gradients, or in another precision.
_WRAPPERS = frozenset(("wrap_with_set_grad_enabled", "wrap_with_autocast"))


def from_torch(module: Any, example: Sequence[Any], name: str, file: str | None = None) -> Network:
    """The network that a module computes in evaluation mode (into which it is put), for one sample.

    Args:
        module: a torch.nn.Module that torch.export can trace.
        example: a tensor for each argument of its forward, batch of one in front; only shape and type matter.
        name: of the network.
        file: what faults refer to, the name if not given.

    Raises:
        SpecError: torch.export fails, or the graph has operators that hwsim does not know: all of them, each named with
            the layer it stands in.
    """
    import torch

    file = file or name
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch's own parts, which the caller cannot mend
            program = torch.export.export(module.eval(), tuple(example))
    except Exception as error:  # the module's own code runs here and may raise anything
        reason = f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else 'no reason'}"
        raise SpecError([Fault(f"torch.export cannot trace the module: {reason}", file=file)]) from error

    tracer = Tracer(name, file)
    given = set(program.graph_signature.user_inputs)
    values: dict[Any, Result] = {}
    for node in program.graph.find_nodes(op="placeholder"):
        shape = _shapes(node.meta["val"])[0]
        values[node] = tracer.input(node.name, shape) if node.name in given and shape else Constant(shape)
    return tracer.finish(_run(tracer, program.graph_module, values))


def _run(tracer: Tracer, module: Any, values: dict[Any, Result]) -> tuple[Known, ...]:
    """Go through a graph whose placeholders have values; returns its results."""
    names = _layer_names(module.graph.nodes)
    results: tuple[Known, ...] = ()
    for node in module.graph.nodes:
        if node.op == "get_attr":
            values[node] = Constant(_shapes(node.meta.get("val"))[0])
        elif node.op == "output":
            returned = _resolve(node.args, values)[0]
            listed = returned if isinstance(returned, list) else [returned]
            results = tuple(value if isinstance(value, Known) else Constant(()) for value in listed)
        elif node.op == "call_function" and getattr(node.target, "__name__", "") in _WRAPPERS:
            position = next(i for i, value in enumerate(node.args) if getattr(value, "op", "") == "get_attr")
            inner = getattr(module, node.args[position].target)
            passed = (values[argument] for argument in node.args[position + 1 :])
            values[node] = _run(tracer, inner, dict(zip(inner.graph.find_nodes(op="placeholder"), passed, strict=True)))
        elif node.op == "call_function":
            values[node] = _call(tracer, node, values, names[node])
        elif node.op == "call_module" and node.target != "_guards_fn":
            tracer.fault(str(node.target), names[node], "a call that torch.export did not inline")
            values[node] = BROKEN
    return results


def _call(tracer: Tracer, node: Any, values: Mapping[Any, Result], name: str) -> Result:
    """What a call_function node makes; a fault is noted where hwsim cannot say."""
    if node.target is operator.getitem:
        source, index = node.args
        made = values[source]
        return made[index] if isinstance(made, tuple) else made
    schema = getattr(node.target, "_schema", None)
    outs = _shapes(node.meta.get("val"))
    if schema is None:
        tracer.fault(str(node.target), name, "hwsim knows no such operator")
        return _several(BROKEN, outs)
    arguments = {argument.name: _default(argument) for argument in schema.arguments}
    arguments.update(zip(arguments, node.args, strict=False))
    arguments.update(node.kwargs)
    arguments = {key: _resolve(value, values) for key, value in arguments.items()}
    kind = schema.name.partition("::")[2]
    kind = kind if kind.endswith("__") else kind.rstrip("_")
    call = Call(kind, name, arguments, outs)
    if tracer.blocked(schema.name, name, call.operands):
        return _several(BROKEN, outs)
    if kind in _CHECKS:
        return BROKEN
    deciding = call.operands[:1] if kind in FIRST_ALONE else call.operands
    if kind in OF_SHAPES or all(isinstance(operand, Constant) for operand in deciding):
        return tuple(map(Constant, outs)) if len(outs) > 1 else Constant(outs[0])
    if kind not in HANDLERS:
        tracer.fault(schema.name, name, "hwsim knows no such operator")
        return _several(BROKEN, outs)
    try:
        return HANDLERS[kind](tracer, call)
    except (ArithmeticError, ValueError) as error:
        tracer.fault(schema.name, name, str(error))
        return _several(BROKEN, outs)


def _default(argument: Any) -> Any:
    return argument.default_value if argument.has_default_value() else None


def _resolve(value: Any, values: Mapping[Any, Result]) -> Any:
    if isinstance(value, list | tuple):
        return [_resolve(item, values) for item in value]
    return values[value] if hasattr(value, "all_input_nodes") else value


def _shapes(made: Any) -> tuple[Shape, ...]:
    """Of each tensor that a node makes; a single number has none."""
    if isinstance(made, list | tuple):
        return tuple(tuple(getattr(item, "shape", ())) for item in made)
    return (tuple(getattr(made, "shape", ())),)


def _several(value: Constant, outs: tuple[Shape, ...]) -> Result:
    return (value,) * len(outs) if len(outs) > 1 else value


def _layer_names(nodes: Iterable[Any]) -> dict[Any, str]:
    """The path of the module that makes a call; with the call's own name where the module makes several."""
    paths = {}
    for node in nodes:
        stack = list(node.meta.get("nn_module_stack", {}).values())
        paths[node] = stack[-1][0] if stack else ""
    calls = Counter(path for node, path in paths.items() if node.op == "call_function")
    return {
        node: path if path and calls[path] == 1 else f"{path}.{node.name}".removeprefix(".")
        for node, path in paths.items()
    }
