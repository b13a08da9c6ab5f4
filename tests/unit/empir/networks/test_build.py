"""Networks that a spec refers to: of the zoo, or a user's own."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from empir.networks import build, build_member
from empir.quantization.layers import quantized_layers
from hwsim.errors import SpecError
from hwsim.spec.ensemble import Ensemble, NetworkReference

USERS = """
import torch
from torch import nn

def small(width=3):
    return nn.Sequential(nn.Conv2d(2, width, 3), nn.BatchNorm2d(width), nn.Flatten(), nn.Linear(width * 16, 7))

def described():
    module = small()
    module.input_shape, module.classes = (2, 6, 6), 7
    return module

def pair():
    return small(), (torch.zeros(1, 2, 6, 6),)

def table():
    return {}

def failing():
    raise KeyError("no such file")

def leaving():
    raise SystemExit(3)

class Zoo:
    inner = staticmethod(small)
"""


@pytest.fixture
def users(tmp_path, monkeypatch):
    """A module of the user in the current folder."""
    (tmp_path / "users_networks.py").write_text(USERS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)


def parameters(module: nn.Module) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in module.parameters()])


@pytest.mark.parametrize("name", ["mnistconv", "users_networks:small"])
def test_the_seed_alone_decides(name, users):
    reference = NetworkReference(name=name, input_shape=(2, 6, 6) if ":" in name else None)
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first = build(reference, 1)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(6)
    assert torch.equal(parameters(build(reference, 1)), parameters(first))
    assert not torch.equal(parameters(build(reference, 2)), parameters(first))


@pytest.mark.parametrize(
    ("reference", "width"),
    [
        ({"name": "users_networks:small", "input_shape": (2, 6, 6)}, 3),
        ({"name": "users_networks:small", "input_shape": (2, 6, 6), "width": 5}, 5),
        ({"name": "users_networks:Zoo.inner", "input_shape": (2, 6, 6)}, 3),
        ({"name": "users_networks:described"}, 3),
        ({"name": "users_networks:pair"}, 3),
    ],
)
def test_a_network_of_the_user(reference, width, users):
    module = build(NetworkReference.model_validate(reference), 0)
    assert (module.input_shape, module.classes) == ((2, 6, 6), 7)
    assert module[0].out_channels == width
    assert all(part.training for part in module.modules())
    assert torch.equal(module[1].running_mean, torch.zeros(width))


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("minstconv", r"network: unknown network 'minstconv' \(did you mean mnistconv\?\)"),
        ("resnet50", "unknown network 'resnet50': can be alexnet, .*, mnistconv or package.module:function"),
        ({"name": "mnistconv", "width": 3}, "mnistconv: TypeError: .*'width'"),
        ("users_networks:nothing", "users_networks:nothing: AttributeError"),
        ("their_modules:small", "their_modules:small: ModuleNotFoundError"),
        ("users_networks:small", "needs the input shape of one sample"),
        ("users_networks:table", "returns dict, not a torch.nn.Module"),
        ("users_networks:failing", "users_networks:failing: KeyError: 'no such file'"),
        ("users_networks:leaving", "users_networks:leaving: SystemExit: 3"),
        (
            {"name": "users_networks:small", "input_shape": [5, 6, 6]},
            "cannot take images of shape 5x6x6: RuntimeError: ",
        ),
    ],
)
def test_what_is_no_network(reference, message, users):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    with pytest.raises(SpecError, match=message):
        build(NetworkReference.model_validate(reference), 0)
    assert torch.equal(torch.get_rng_state(), before)


def test_an_onnx_file_cannot_be_trained():
    with pytest.raises(SpecError, match=r"'models/vgg\.onnx'.*package\.module:function"):
        build(NetworkReference(name="models/vgg.onnx"), 0)


def ensemble(rule: object, full: int = 32) -> Ensemble:
    members = [{"weights": full, "activations": full}, {"weights": 2, "activations": 4, "count": 2}]
    members += [{"weights": 4, "activations": full}]
    return Ensemble.model_validate(
        {"name": "e", "network": "mnistconv", "members": members, "quantize": rule, "full_precision_bits": full}
    )


@pytest.mark.parametrize("full", [16, 32])
def test_members(full):
    spec = ensemble("convs", full)
    convolutions = ("conv1", "conv2", "conv3")
    quantized = [quantized_layers(build_member(spec, member, 0)) for member in spec.expanded()]
    low, half = ([(name, *bits) for name in convolutions] for bits in ((2, 4), (4, 32)))
    assert quantized == [(), tuple(low), tuple(low), tuple(half)]


def test_members_of_one_seed_start_from_the_same_parameters():
    spec = ensemble("convs")
    full, low, *_ = (parameters(build_member(spec, member, 3)).sort().values for member in spec.expanded())
    assert torch.equal(full, low)


def test_a_rule_that_does_not_fit():
    spec = ensemble({"full_precision": ["fc8"]})
    with pytest.raises(SpecError, match=r"quantize\.full_precision\[0\]: .*'fc8' \(did you mean fc\?\)"):
        build_member(spec, spec.members[1], 0)
