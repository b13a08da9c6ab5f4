"""Networks from elsewhere: `resolve` takes what a user writes: a name of the zoo, an .onnx file, a Python function."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hwsim.errors import Fault, SpecError
from hwsim.networks import network
from hwsim.spec.network import Network


def resolve(
    source: str,
    batch: int = 1,
    parameters: Mapping[str, Any] | None = None,
    input_shape: Sequence[int] | Sequence[Sequence[int]] | None = None,
) -> Network:
    """The network that a text names.

    Args:
        source: `resnet50` (see `hwsim.networks.zoo`), `path/to/model.onnx`, or `package.module:function`, which returns
            a torch.nn.Module or a pair of one and its example arguments.
        batch: samples computed at once.
        parameters: of the network in the zoo or of the function.
        input_shape: of one sample, without the batch; one for each input where there are several. A network of the zoo
            has its own.

    Raises:
        SpecError: nothing of that name, or nothing that hwsim understands; says what comes close.
    """
    parameters = dict(parameters or {})
    shapes = _shapes(input_shape)
    if batch < 1:
        raise SpecError([Fault(f"batch must be at least 1, not {batch}")])
    if source.lower().endswith(".onnx"):
        if parameters:
            raise SpecError([Fault(f"a model has no parameters, but {', '.join(parameters)} is given", file=source)])
        from hwsim.importers.onnx import from_onnx

        return from_onnx(source, shapes).with_batch(batch)
    if ":" in source:
        from hwsim.importers.function import from_function

        return from_function(source, shapes, parameters).with_batch(batch)
    if shapes is not None:
        raise SpecError([Fault(f"{source} has an input shape of its own; its parameters may change it")])
    return network(source, batch, **parameters)


#: The name under which `import hwsim` has it, beside `load_hardware` and `load_ensemble`.
load_network = resolve


def _shapes(given: Sequence[int] | Sequence[Sequence[int]] | None) -> list[tuple[int, ...]] | None:
    if given is None:
        return None
    single = [size for size in given if isinstance(size, int)]
    shapes = [tuple(single)] if single else [tuple(shape) for shape in given if not isinstance(shape, int)]
    if any(size < 1 for shape in shapes for size in shape):
        raise SpecError([Fault(f"an input shape has positive sizes only, not {shapes}")])
    return shapes
