"""torch modules against the zoo and against torch's own counter of operations."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch import nn
from torch.nn import functional

from hwsim.errors import SpecError
from hwsim.importers.torch import from_torch
from hwsim.networks import network
from hwsim.spec.network import Network
from tests.unit.importers.modules import ZOO, multiply_accumulates, parameters


class Lambda(nn.Module):
    """A function as a module, with named parts if it needs any."""

    def __init__(self, function, **parts) -> None:
        super().__init__()
        self.function = function
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, *arguments):
        return self.function(self, *arguments)


def imported(module: nn.Module, *shapes: tuple[int, ...]) -> Network:
    """The network, after torch's counts have confirmed it."""
    example = [torch.rand(1, *shape) for shape in shapes]
    net = from_torch(module, example, "net")
    assert net.macs == multiply_accumulates(module, *example)
    assert net.parameters.total == parameters(module)
    return net


def labels(net: Network) -> list[str]:
    """Operators in order, views left out, with what is fused."""
    return [
        " + ".join(operator.label for operator in (layer.operator, *layer.fused))
        for layer in net.layers
        if not layer.operator.view
    ]


@pytest.mark.parametrize("name", ZOO)
def test_equals_the_zoo(name):
    build, shape = ZOO[name]
    net, expected = imported(build(), shape), network(name)
    assert [layer.nest for layer in net.mac_layers] == [layer.nest for layer in expected.mac_layers]
    assert [layer.parameters for layer in net.mac_layers] == [layer.parameters for layer in expected.mac_layers]
    assert labels(net) == labels(expected)
    assert net.parameters == expected.parameters
    assert net.working_set_elements() == expected.working_set_elements()


def test_layers_have_the_names_of_their_modules():
    net = imported(ZOO["resnet18"][0](), (3, 32, 32))
    assert {"0", "4.conv1", "4.conv2", "6.downsample.0"} <= {layer.name for layer in net.layers}


@given(
    channels=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    groups=st.integers(1, 3),
    kernel=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    stride=st.integers(1, 3),
    padding=st.one_of(st.integers(0, 2), st.just("same"), st.just("valid")),
    dilation=st.integers(1, 2),
    bias=st.booleans(),
)
@settings(max_examples=25)
def test_convolutions(channels, groups, kernel, stride, padding, dilation, bias):
    stride = 1 if padding == "same" else stride
    inputs, outputs = (groups * count for count in channels)
    conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, dilation, groups, bias)
    net = imported(conv, (inputs, 7, 9))
    made = conv(torch.zeros(1, inputs, 7, 9))
    assert net.layers[0].operator.output == made.shape[2:]


def test_one_dimension():
    module = nn.Sequential(nn.Conv1d(3, 4, 5, stride=2, padding=1), nn.ReLU(), nn.MaxPool1d(2), nn.AvgPool1d(3, 1))
    net = imported(module, (3, 21))
    assert (net.layers[0].nest.Q, net.layers[0].nest.S, net.layers[0].nest.P) == (10, 5, 1)
    assert labels(net) == ["conv + relu", "max pool", "average pool"]


@pytest.mark.parametrize("first", [True, False])
def test_attention(first):
    layer = nn.TransformerEncoderLayer(16, 4, 32, dropout=0.1, batch_first=True, norm_first=first, activation="gelu")
    net = imported(layer, (7, 16))
    assert labels(net).count("batched gemm + mul") == 1
    assert labels(net).count("softmax") == 1
    assert labels(net).count("layer norm") == 2
    assert labels(net).count("gemm + gelu") == 1
    assert labels(net).count("add") == 2
    assert "transpose" not in labels(net)  # products read and write the heads where they are
    scores, context = (layer.nest for layer in net.mac_layers if layer.operator.label == "batched gemm")
    assert (scores.G, scores.N, scores.C, scores.K) == (4, 7, 4, 7)
    assert (context.G, context.N, context.C, context.K) == (4, 7, 7, 4)


def test_masked_attention_over_shared_keys():
    def attend(_, q, k, v):
        k, v = (x.repeat_interleave(1, 1) for x in (k, v))
        return functional.scaled_dot_product_attention(q, k, v, is_causal=True)

    with pytest.raises(SpecError, match=r"aten::repeat_interleave in layer repeat_interleave: hwsim knows no"):
        from_torch(Lambda(attend), [torch.rand(1, 2, 5, 4)] * 3, "net")
    grouped = Lambda(lambda _, q, k, v: functional.scaled_dot_product_attention(q, k, v, enable_gqa=True))
    example = (torch.rand(1, 6, 5, 4), torch.rand(1, 2, 5, 4), torch.rand(1, 2, 5, 4))
    net = from_torch(grouped, example, "net")
    assert net.macs == 2 * 6 * 5 * 5 * 4  # six query heads, whoever owns the keys
    causal = Lambda(lambda _, q, k, v: functional.scaled_dot_product_attention(q, k, v, is_causal=True))
    net = from_torch(causal, (example[1],) * 3, "net")
    assert labels(net) == ["batched gemm + mul + add", "softmax", "batched gemm"]


def test_products_of_parameters_and_activations():
    module = Lambda(
        lambda self, x: torch.einsum("bqi,bik->bqk", self.left @ x, x.mT @ self.right + self.bias),
        left=nn.Parameter(torch.rand(5, 6)),
        right=nn.Parameter(torch.rand(6, 5)),
        bias=nn.Parameter(torch.rand(5)),
    )
    net = imported(module, (6, 3))
    assert net.macs == 5 * 6 * 3 + 3 * 6 * 5 + 5 * 3 * 5
    assert [layer.parameters.biases for layer in net.mac_layers] == [0, 5, 0]
    assert labels(net) == ["gemm", "gemm", "batched gemm"]


def test_a_mask_is_added_to_the_scores():
    def attend(self, q, k, v):
        return functional.scaled_dot_product_attention(q, k, v, attn_mask=self.mask)

    module = Lambda(attend, mask=nn.Parameter(torch.zeros(5, 5)))
    net = imported(module, *[(2, 5, 4)] * 3)
    assert labels(net) == ["batched gemm + mul", "add", "softmax", "batched gemm"]


def test_addition_and_product_in_one_call():
    weight, bias = nn.Parameter(torch.rand(6, 4)), nn.Parameter(torch.rand(4))
    net = imported(Lambda(lambda self, x: torch.addmm(self.b, x, self.w), w=weight, b=bias), (6,))
    assert labels(net) == ["gemm"]
    assert net.mac_layers[0].parameters.biases == 4


def test_transposes_of_all_kinds():
    def turn(_, x):
        x = x.permute(0, 2, 3, 1).transpose(-1, 1).swapaxes(1, 2)
        return torch.relu(torch.sigmoid(x).mT)

    net = imported(Lambda(turn), (2, 3, 4))
    assert labels(net) == ["transpose", "transpose", "transpose + sigmoid", "transpose + relu"]


def test_indices():
    module = Lambda(
        lambda self, x: torch.relu(self.table[x]) + x[:, torch.tensor([0, 0, 2])][..., None],
        table=nn.Parameter(torch.rand(10, 4)),
    )
    net = from_torch(module, (torch.zeros(1, 3, dtype=torch.int64),), "net")
    assert labels(net) == ["embedding + relu", "gather", "add"]


def test_an_added_row_that_others_bypass_is_no_bias():
    module = Lambda(
        lambda self, x: (lambda y: (y + self.bias) * y)(x @ self.weight),
        weight=nn.Parameter(torch.rand(6, 4)),
        bias=nn.Parameter(torch.rand(4)),
    )
    assert labels(imported(module, (6,))) == ["gemm", "add", "mul"]


def test_norms_and_functions():
    module = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.GroupNorm(2, 8),
        nn.SiLU(),
        nn.Conv2d(8, 8, 1),
        nn.PReLU(8),
        nn.InstanceNorm2d(8, affine=True),
        nn.BatchNorm2d(8),
        nn.GELU(approximate="tanh"),
        nn.Dropout(0.5),
        nn.AdaptiveMaxPool2d(2),
        nn.Flatten(),
        nn.LayerNorm(32, bias=False),
        nn.RMSNorm(32),
        nn.LogSoftmax(-1),
    )
    example = torch.rand(1, 3, 6, 6)
    net = from_torch(module, (example,), "net")
    assert labels(net) == [
        "conv",
        "group norm + silu",
        "conv + prelu",
        "instance norm",
        "batch norm + gelu tanh",
        "adaptive max pool",
        "layer norm",
        "rms norm",
        "softmax + log",
    ]
    # LayerNorm(bias=False) is counted with its shift of 32 zeros
    assert net.parameters.total == parameters(module) + 32


def test_gates_splits_and_reductions():
    def gate(self, x):
        a, b = self.conv(x).chunk(2, dim=1)
        y = a * torch.sigmoid(b)
        weight = self.fc(y.mean((2, 3)))[:, :, None, None]
        return torch.cat([y * weight, x], 1).amax(1)

    module = Lambda(gate, conv=nn.Conv2d(3, 6, 3, padding=1), fc=nn.Linear(3, 3))
    net = imported(module, (3, 5, 5))
    assert labels(net) == ["conv", "sigmoid", "mul", "reduce average", "gemm", "mul", "reduce max"]
    product = [layer for layer in net.layers if layer.operator.label == "mul"][1]
    assert product.operator.inputs == (75, 3)


def test_tokens():
    module = nn.Sequential(nn.Embedding(50, 8), nn.Linear(8, 4))
    net = from_torch(module, (torch.zeros(1, 6, dtype=torch.int64),), "net")
    assert labels(net) == ["embedding", "gemm"]
    assert net.macs == 6 * 8 * 4
    assert net.parameters.total == parameters(module)


def test_what_leads_nowhere_is_left_out():
    def forward(self, x):
        self.unused(x)
        return self.used(x)

    net = from_torch(Lambda(forward, used=nn.Linear(4, 2), unused=nn.Linear(4, 3)), (torch.rand(1, 4),), "net")
    assert net.macs == 8


def test_every_unknown_operator_is_named_with_its_layer():
    class Odd(nn.Module):
        def forward(self, x):
            return torch.cumsum(x, 1)

    module = nn.Sequential(nn.Linear(4, 4), Odd(), nn.ReLU(), nn.Linear(4, 4))
    both = Lambda(lambda self, x: self.net(x) + torch.sort(x).values, net=module)
    with pytest.raises(SpecError) as caught:
        from_torch(both, (torch.rand(1, 4),), "net")
    assert [str(fault) for fault in caught.value.faults] == [
        "net: aten::cumsum in layer net.1: hwsim knows no such operator",
        "net: aten::sort in layer sort: hwsim knows no such operator",
    ]


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda _, x: x.sum() if x.sum() > 0 else x, "torch.export cannot trace the module"),
        (lambda _, x: x @ x, "torch.export cannot trace the module"),
        (lambda _, x: functional.max_pool2d(x[None], 2, return_indices=True)[1], "a further result"),
        (
            lambda _, x: functional.max_pool2d(x[None], 2, return_indices=True)[1] + 1,
            "aten::add in layer add: reads a fu",
        ),
        (lambda _, x: torch.einsum("bij->ij", x), "products of two operands"),
        (lambda _, x: torch.einsum("bij,bkl->bik", x, x), "sums over an axis of one operand alone"),
        (lambda _, x: torch.einsum("bii,bij->bj", x[..., :4], x), "two operands with named axes"),
        (lambda _, x: functional.conv2d(x, x[:, None, :1, :1]), "weights of a convolution must be stored"),
        (
            lambda _, x: functional.conv2d(x.expand(3, 4, 6)[:, None], torch.ones(1, 1, 2, 2)),
            "no batch of one in front",
        ),
        (
            lambda _, x: torch.ops.aten.batch_norm(x, *[None] * 4, True, 0.1, 1e-5, False),
            "measures its input at inference",
        ),
        (
            lambda _, x: functional.conv3d(x[None], torch.ones(1, 1, 1, 2, 2)),
            "aten::conv3d in layer conv3d: hwsim knows no",
        ),
        (lambda _, x: torch.ones(3), "no output depends on an input"),
        (lambda _, x: x, "no output depends on an input"),
    ],
)
def test_what_cannot_be_imported(function, message):
    with pytest.raises(SpecError, match=message):
        from_torch(Lambda(function), (torch.rand(1, 4, 6),), "net")


def test_checks_and_constants_inside_forward():
    def forward(_, x):
        torch._assert(x.shape[0] > 0, "empty")
        with torch.no_grad():
            scale = torch.arange(6.0)[None] / torch.full_like(x[:, 0], 3.0)
            gate = torch.sigmoid(x)
        return x * scale * gate

    net = from_torch(Lambda(forward), (torch.rand(1, 4, 6),), "net")
    assert labels(net) == ["sigmoid", "mul", "mul"]


def test_weights_for_each_head_are_refused():
    module = Lambda(lambda self, x: x @ self.weight, weight=nn.Parameter(torch.rand(2, 4, 4)))
    with pytest.raises(SpecError, match="weights by head"):
        from_torch(module, (torch.rand(1, 2, 3, 4),), "net")


def test_batch_scales_what_is_imported():
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 5))
    net = imported(module, (3, 8, 8))
    assert net.with_batch(4).macs == multiply_accumulates(module, torch.rand(4, 3, 8, 8))
    assert net.inputs[0].shape == (3, 8, 8)
