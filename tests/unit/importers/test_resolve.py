"""What a user may write to name a network."""

from __future__ import annotations

import subprocess
import sys

import pytest
from onnx import TensorProto, helper

from hwsim.errors import SpecError
from hwsim.importers import resolve
from hwsim.networks import network

MODULE = """
import torch

def small(features=4):
    return torch.nn.Sequential(torch.nn.Linear(8, features), torch.nn.ReLU())

def tokens():
    return torch.nn.Embedding(10, 4), (torch.zeros(1, 6, dtype=torch.int64),)

def number():
    return 3

def leaves():
    raise SystemExit(0)

def fails():
    raise RuntimeError("no data here")

class Two(torch.nn.Module):
    def forward(self, a, b):
        return a @ b
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    """A module in the current folder."""
    (tmp_path / "their_networks.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield "their_networks"
    sys.modules.pop("their_networks", None)


def test_a_name_of_the_zoo():
    assert resolve("bert_base", 2, {"sequence_length": 32}) == network("bert_base", 2, sequence_length=32)


def test_a_function(module):
    net = resolve(f"{module}:small", batch=3, parameters={"features": 5}, input_shape=(8,))
    assert net.macs == 3 * 8 * 5
    assert net.name == "small"


def test_a_function_with_its_own_example(module):
    assert resolve(f"{module}:tokens").weights == 40


def test_a_class_with_two_inputs(module):
    assert resolve(f"{module}:Two", input_shape=((3, 4), (4, 5))).macs == 60


def test_a_file(tmp_path):
    info = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 5]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "graph", info[:1], info[1:])
    path = tmp_path / "model.ONNX"
    path.write_bytes(helper.make_model(graph, ir_version=9).SerializeToString())
    net = resolve(str(path), batch=7)
    assert (net.name, net.output_elements) == ("model", 35)
    with pytest.raises(SpecError, match="a model has no parameters"):
        resolve(str(path), parameters={"image": 3})


@pytest.mark.parametrize(
    ("source", "arguments", "message"),
    [
        ("resnet5", {}, r"did you mean resnet50\?"),
        ("resnet50", {"batch": 0}, "batch must be at least 1"),
        ("resnet50", {"input_shape": (3, 9, 9)}, "has an input shape of its own"),
        ("{}:small", {}, "needs the input shape"),
        ("{}:small", {"input_shape": (0,)}, "positive sizes"),
        ("{}:small", {"input_shape": (7,)}, "torch.export cannot trace"),
        ("{}:small", {"parameters": {"width": 1}, "input_shape": (8,)}, "TypeError.*width"),
        ("{}:number", {}, "returns int, not a torch.nn.Module"),
        ("{}:fails", {}, "RuntimeError: no data here"),
        ("{}:leaves", {}, "SystemExit: 0"),
        ("{}:absent", {}, "AttributeError"),
        ("nowhere_at_all:net", {}, "ModuleNotFoundError"),
        ("missing.onnx", {}, "missing.onnx: cannot be read"),
    ],
)
def test_faults(source, arguments, message, module):
    with pytest.raises(SpecError, match=message):
        resolve(source.format(module), **arguments)


def test_torch_and_onnx_are_imported_when_needed():
    code = "import sys, hwsim.importers as i; i.resolve('lenet5'); print({'torch', 'onnx'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout.strip() == "set()"
