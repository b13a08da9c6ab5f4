"""onnxruntime computes what the quantised module computes, from integers."""

from __future__ import annotations

from collections import Counter

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, numpy_helper
from torch import Tensor, nn

from empir.networks import build
from empir.quantization.export import export_onnx
from empir.quantization.layers import quantize
from hwsim.errors import SpecError
from hwsim.importers.onnx import from_onnx
from hwsim.networks import network
from hwsim.spec.ensemble import NetworkReference
from tests.unit.empir.quantization.modules import Parametrized, Recurrent, Residual, made

EXAMPLE = torch.zeros(1, 3, 8, 8)

#: Integers that hold 2i − n, and what a layer reads.
WEIGHTS = {1: TensorProto.INT8, 2: TensorProto.INT8, 4: TensorProto.INT8, 8: TensorProto.INT16}
ACTIVATIONS = {**dict.fromkeys(range(1, 9), TensorProto.UINT8), 16: TensorProto.UINT16}


def tones(shape: tuple[int, ...], count: int = 40) -> Tensor:
    """Photographs [count, *shape] of 8 bits a pixel, and one that is grey: 1/2, halfway between two levels."""
    pixels = torch.randint(0, 256, (count, *shape), generator=torch.Generator().manual_seed(3)) / 255
    pixels[0] = 0.5
    return pixels


def run(path, images: Tensor) -> Tensor:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    (logits,) = session.run(["logits"], {"images": images.numpy()})
    return torch.from_numpy(logits)


def assert_same_logits(path, module: nn.Module, images: Tensor) -> None:
    """Equal up to the order of summation: a single activation rounded elsewhere would be off by far more."""
    with torch.no_grad():
        expected = module.eval()(images)
    torch.testing.assert_close(run(path, images), expected, rtol=0, atol=1e-5 * float(expected.abs().max()))


class Plain(nn.Sequential):
    """Two convolutions and a linear layer."""

    def __init__(self) -> None:
        first, second = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 4, 3, bias=False)
        super().__init__(first, nn.ReLU(), second, nn.ReLU(), nn.Flatten(), nn.Linear(64, 5))


@pytest.mark.parametrize("bits", [(1, 1), (2, 2), (2, 4), (4, 16), (8, 8), (32, 4), (2, 32)])
def test_logits_and_integers(bits, tmp_path):
    weight_bits, activation_bits = bits
    path = tmp_path / "model.onnx"
    module = quantize(made(Plain), *bits, "convs", EXAMPLE)
    export_onnx(module, EXAMPLE, path)
    assert_same_logits(path, module, tones((3, 8, 8)))

    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    operators = Counter(node.op_type for node in model.graph.node)
    assert operators["QuantizeLinear"] == (2 if activation_bits < 32 else 0)
    assert operators["DequantizeLinear"] == (2 if weight_bits < 32 else 0) + operators["QuantizeLinear"]
    for name in ("0", "2"):
        tensor, n = stored[f"{name}.weight"], 2**weight_bits - 1
        assert tensor.data_type == WEIGHTS.get(weight_bits, TensorProto.FLOAT)
        if weight_bits < 32:
            codes = numpy_helper.to_array(tensor)
            assert np.all(codes % 2 == 1)
            assert np.abs(codes).max() == n
            expected = module.get_submodule(name).weight.detach().numpy()
            np.testing.assert_array_equal(codes * np.float32(1 / n), expected)
    assert stored["5.weight"].data_type == TensorProto.FLOAT
    for node in model.graph.node:
        if node.op_type == "QuantizeLinear":
            assert stored[node.input[2]].data_type == ACTIVATIONS[activation_bits]
            assert numpy_helper.to_array(stored[node.input[2]]) == 0


@pytest.mark.parametrize("kind", [Residual, Recurrent, Parametrized])
def test_any_module(kind, tmp_path):
    module = quantize(made(kind), 3, 5, "except_first_and_last", EXAMPLE).train()
    export_onnx(module, EXAMPLE, tmp_path / "model.onnx")
    assert module.training
    assert_same_logits(tmp_path / "model.onnx", module, tones((3, 8, 8)))


def test_several_widths_in_one_network(tmp_path):
    first = quantize(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()), 8, 8, "all", EXAMPLE)
    second = quantize(nn.Sequential(nn.Flatten(), nn.Linear(144, 5)), 2, 4, "all", torch.zeros(1, 4, 6, 6))
    whole = nn.Sequential(first, second)
    export_onnx(whole, EXAMPLE, tmp_path / "model.onnx")
    assert_same_logits(tmp_path / "model.onnx", whole, tones((3, 8, 8)))


def test_mnistconv_is_the_network_that_hwsim_prices(tmp_path):
    module = quantize(build(NetworkReference(name="mnistconv"), 0), 2, 4, "convs", torch.zeros(1, 1, 28, 28))
    export_onnx(module, torch.zeros(1, 1, 28, 28), tmp_path / "mnistconv.onnx")
    assert_same_logits(tmp_path / "mnistconv.onnx", module, tones((1, 28, 28), 20))
    imported, priced = from_onnx(tmp_path / "mnistconv.onnx"), network("mnistconv")
    assert [layer.macs for layer in imported.mac_layers] == [layer.macs for layer in priced.mac_layers]
    assert imported.weights == priced.weights


class Unpredictable(nn.Module):
    """Goes a way that depends on its input, which no graph can say."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(192, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(x.flatten(1)) if x.sum() > 1 else x.flatten(1)[:, :5]


def test_a_failure_is_one_line_and_leaves_the_old_file(tmp_path, capsys):
    path = tmp_path / "model.onnx"
    path.write_text("old")
    with pytest.raises(SpecError, match=r"model\.onnx: torch cannot export the module: \w+: .{10,200}$"):
        export_onnx(Unpredictable(), EXAMPLE, path)
    assert capsys.readouterr() == ("", "")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_cannot_be_written(tmp_path):
    module = nn.Sequential(nn.Flatten(), nn.Linear(192, 5))
    with pytest.raises(SpecError, match="cannot be written: No such file or directory"):
        export_onnx(module, EXAMPLE, tmp_path / "missing" / "model.onnx")
