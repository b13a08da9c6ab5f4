"""The zoo against published figures and against the facts of the EMPIR paper."""

from __future__ import annotations

import pytest

from hwsim.errors import SpecError
from hwsim.networks import network, zoo
from hwsim.spec.network import Layer, Network

#: Parameters and 10^9 multiply-accumulates from torchvision's table of classification weights (its "GFLOPS"), those of
#: bert_base from the model card of bert-base-uncased without its heads. LeNet-5: LeCun et al. 1998 count 60,000 with a
#: partially connected C3; fully connected it has 156 + 2416 + 48120 + 10164 + 850.
PUBLISHED = {
    "resnet18": (11_689_512, 1.81),
    "resnet50": (25_557_032, 4.09),
    "vgg16": (138_357_544, 15.47),
    "mobilenet_v2": (3_504_872, 0.30),
    "vit_b16": (86_567_656, 17.56),
    "bert_base": (109_482_240, None),
    "lenet5": (61_706, None),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_figures(name):
    parameters, macs = PUBLISHED[name]
    made = network(name)
    assert made.parameters.total == parameters
    if macs is not None:
        assert round(made.macs / 1e9, 2) == macs


def test_bert_by_hand():
    tokens, width = 64, 768
    projections = 4 * width * width + 2 * width * 3072
    attention = 2 * tokens * tokens * width
    assert network("bert_base", sequence_length=tokens).macs == 12 * (tokens * projections + attention) + width * width


def test_lenet_by_hand():
    # 28*28*6*25 + 10*10*16*150 + 120*400 + 120*84 + 84*10
    assert network("lenet5").macs == 117_600 + 240_000 + 48_000 + 10_080 + 840


#: Table 3 of the paper and the released code, with strides and padding of the latter: weights, height of the output.
EMPIR = {
    "mnistconv": {
        "conv1": (8 * 8 * 64, 14),
        "conv2": (6 * 6 * 64 * 128, 5),
        "conv3": (5 * 5 * 128 * 128, 1),
        "fc": (1280, 1),
    },
    "cifarconv": {
        "conv1": (5 * 5 * 3 * 32, 32),
        "conv2": (8 * 8 * 32 * 64, 15),
        "conv3": (8 * 8 * 64 * 64, 7),
        "fc1": (576 * 64, 1),
        "fc2": (640, 1),
    },
    "cifarconv_released": {
        "conv1": (5 * 5 * 3 * 32, 32),
        "conv2": (5 * 5 * 32 * 32, 15),
        "conv3": (5 * 5 * 32 * 64, 7),
        "fc1": (576 * 64, 1),
        "fc2": (640, 1),
    },
    "alexnet": {
        "conv1": (12 * 12 * 3 * 96, 54),
        "conv2": (5 * 5 * 96 * 256 // 2, 54),
        "conv3": (3 * 3 * 256 * 384, 27),
        "conv4": (3 * 3 * 384 * 384 // 2, 14),
        "conv5": (3 * 3 * 384 * 256 // 2, 14),
        "fc6": (9216 * 4096, 1),
        "fc7": (4096 * 4096, 1),
        "fc8": (4096 * 1000, 1),
    },
}


@pytest.mark.parametrize("name", EMPIR)
def test_layers_of_the_paper(name):
    made = network(name)
    assert {layer.name: (layer.parameters.weights, layer.nest.P) for layer in made.mac_layers} == EMPIR[name]
    assert made.layers[-1].operator.label == "softmax"


def test_alexnet_as_released():
    made = network("alexnet")
    assert made.layer("conv1").parameters.biases == 54 * 54 * 96  # one for each output position
    assert [layer.parameters.biases for layer in made.mac_layers[1:]] == [0, 0, 0, 0, 4096, 0, 1000]
    assert made.parameters.norms == 2 * (256 + 384 + 384 + 256 + 4096 + 4096)
    assert all("batch norm" in {operator.label for operator in layer.fused} for layer in made.mac_layers[1:-1])


def storage_bits(layers: tuple[Layer, ...], quantised: set[str], bits: int) -> int:
    """Weights of the quantised layers at their bits, everything else at 32."""
    total = 0
    for layer in layers:
        own = layer.parameters
        total += own.weights * (bits if layer.name in quantised else 32) + 32 * (own.biases + own.norms)
    return total


def ensemble_storage(made: Network, quantised: set[str], members: list[int]) -> float:
    """One full-precision network and the members, relative to the former."""
    alone = storage_bits(made.layers, set(), 32)
    return 1 + sum(storage_bits(made.layers, quantised, bits) for bits in members) / alone


def test_cifarconv_ensemble_takes_1_77_times_the_storage():
    made = network("cifarconv_released")
    convolutions = {layer.name for layer in made.mac_layers if layer.operator.label == "conv"}
    assert ensemble_storage(made, convolutions, [4, 2]) == pytest.approx(1.77, abs=0.005)


def test_alexnet_ensemble_takes_1_319_times_the_storage_and_1_363_times_the_time():
    made = network("alexnet")
    inner = {layer.name for layer in made.mac_layers[1:-1]}
    assert ensemble_storage(made, inner, [2, 4]) == pytest.approx(1.319, abs=0.0005)
    # Equation 6 layer by layer: up to 4 bits run 32 / 4 = 8 times as fast
    member = sum(layer.macs / (8 if layer.name in inner else 1) for layer in made.mac_layers) / made.macs
    assert 1 + 2 * member == pytest.approx(1.363, abs=0.0005)


def test_parameters_change_the_network():
    assert network("resnet50", classes=10).layer("fc").operator.output_elements == 10
    assert network("vit_b16", image=384).layer("layer0.query").nest.N == 24 * 24 + 1
    assert network("resnet18", batch=4).batch == 4


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("resnet5", {}, r"unknown network 'resnet5' \(did you mean resnet50\?\)"),
        ("zzz", {}, r"unknown network 'zzz'; there are alexnet"),
        ("bert_base", {"sequence_lenght": 9}, r"no parameter 'sequence_lenght' \(did you mean sequence_length\?\)"),
        ("lenet5", {"image": 9}, "it has none"),
        ("bert_base", {"sequence_length": 1000}, "at most 512"),
        ("bert_base", {"sequence_length": 0}, "at least 1"),
        ("bert_base", {"sequence_length": 8.0}, "sequence_length must be a whole number of at least 1, not 8.0"),
        ("bert_base", {"sequence_length": True}, "not true"),
        ("bert_base", {"sequence_length": "long"}, "not 'long'"),
        ("resnet50", {"batch": 0}, "at least 1"),
    ],
)
def test_bad_requests(name, parameters, message):
    with pytest.raises(SpecError, match=message):
        network(name, **parameters)


def test_every_name_is_the_networks_own():
    assert {name: make().name for name, make in zoo().items()} == {name: name for name in zoo()}
