"""A quantised network as an ONNX model: QuantizeLinear and DequantizeLinear around its integers.

With n = 2^k − 1, weights are the odd integers 2i − n at scale 1/n, in 8 bits where they fit and in 16 or 32 otherwise.
What a layer reads is clipped to [0, 1], multiplied by n, made unsigned integers at scale 1 and read at scale 1/n. The
product is a node of its own because QuantizeLinear would divide by the rounded 1/n, which moves the tie at 1/2.
"""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from empir.quantization.dorefa import UNQUANTIZED, steps
from empir.quantization.layers import ACTIVATION, DoReFaActivation, freeze
from hwsim.errors import Fault, SpecError

#: The first version of ONNX's operators whose QuantizeLinear and DequantizeLinear know 16-bit integers.
OPSET = 21


def export_onnx(module: nn.Module, example: Tensor, path: str | Path) -> None:
    """Write a quantised network, frozen or not, as it is in evaluation mode; the number of images is left open.

    onnxruntime's logits equal the module's up to the order in which a layer's products are summed; wherever these sums
    lie further from the middle between two levels than they are apart, both networks compute with the same integers.

    The model's input is `images` [batch, ...] in single precision, its output `logits` [batch, classes].

    Args:
        module: a network that `quantize` has treated; layers that it left alone stay in single precision.
        example: one input, batch in front.
        path: of the .onnx file, which is written whole or not at all.

    Raises:
        SpecError: torch cannot export the module, or the file cannot be written.
    """
    path = Path(path)
    if find_spec("onnxscript") is None:
        raise SpecError([Fault("onnxscript is not installed: pip install onnxscript", file=str(path))])
    network = _integer(freeze(module).cpu().float())
    pair = example[:1].cpu().float().expand(2, *example.shape[1:])  # torch.export would take a batch of 1 as constant
    try:
        with _quiet():
            program: Any = torch.onnx.export(
                network,
                (pair,),
                input_names=["images"],
                output_names=["logits"],
                dynamic_shapes=({0: torch.export.Dim("batch")},),
                opset_version=OPSET,
                dynamo=True,
                optimize=True,
                verbose=False,
            )
    except Exception as error:  # the module's own code runs here and may raise anything
        lines = str(error.__cause__ or error).strip().splitlines()
        reason = f"{type(error.__cause__ or error).__name__}: {lines[0] if lines else 'no reason'}"
        raise SpecError([Fault(f"torch cannot export the module: {reason}", file=str(path))]) from error
    for value in list(program.model.graph.initializers.values()):
        value.name = value.name.replace("parametrizations.weight.original", "weight")
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        try:
            program.save(part)
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise SpecError([Fault(f"cannot be written: {error.strerror or error}", file=str(path))]) from None


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what torch's exporter warns of, logs and prints: the caller cannot mend it."""
    disabled = logging.root.manager.disable
    with warnings.catch_warnings(), redirect_stderr(StringIO()):
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        try:
            yield
        finally:
            logging.disable(disabled)


def _integer(frozen: nn.Module) -> nn.Module:
    """Put ONNX's operators in the place of a frozen network's quantised weights and activations."""
    for layer in list(frozen.modules()):
        quantizer = getattr(layer, ACTIVATION, None)
        if not isinstance(quantizer, DoReFaActivation):
            continue
        if quantizer.weight_bits < UNQUANTIZED:
            weight = _Weight(quantizer.weight_bits)
            codes = weight.codes(layer.weight)
            parametrize.register_parametrization(layer, "weight", weight, unsafe=True)
            del layer.parametrizations.weight.original
            layer.parametrizations.weight.register_buffer("original", codes)
        if quantizer.bits < UNQUANTIZED:
            setattr(layer, ACTIVATION, _Activation(quantizer.bits))
    return frozen


class _Weight(nn.Module):
    """DequantizeLinear of integers, which take the place of the weights."""

    def __init__(self, bits: int) -> None:
        super().__init__()
        self.steps = steps(bits)
        self.type = torch.int8 if bits < 8 else torch.int16 if bits < 16 else torch.int32
        self.register_buffer("scale", torch.tensor(1 / self.steps))

    def codes(self, weight: Tensor) -> Tensor:
        """2i − n."""
        return torch.round(weight * self.steps).to(self.type)

    def forward(self, codes: Tensor) -> Tensor:
        return _operator("DequantizeLinear", (codes, self.scale), torch.float32)


class _Activation(nn.Module):
    """Clip, QuantizeLinear and DequantizeLinear of what a layer reads."""

    def __init__(self, bits: int) -> None:
        super().__init__()
        self.steps = steps(bits)
        self.type = torch.uint8 if bits <= 8 else torch.uint16
        self.register_buffer("black", torch.tensor(0.0))
        self.register_buffer("white", torch.tensor(1.0))
        self.register_buffer("scale", torch.tensor(1 / self.steps))
        self.register_buffer("zero", torch.tensor(0, dtype=self.type))

    def forward(self, x: Tensor) -> Tensor:
        clipped = _operator("Clip", (x, self.black, self.white), torch.float32)
        codes = _operator("QuantizeLinear", (clipped * self.steps, self.white, self.zero), self.type)
        return _operator("DequantizeLinear", (codes, self.scale, self.zero), torch.float32)


def _operator(name: str, inputs: tuple[Tensor, ...], kind: torch.dtype) -> Tensor:
    """An operator of ONNX that keeps the shape of its first input."""
    return torch.onnx.ops.symbolic(name, inputs, dtype=kind, shape=inputs[0].shape, version=OPSET)
