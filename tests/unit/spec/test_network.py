"""Networks: what they refuse, how they scale, what is alive when."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given, strategies as st

from hwsim.operators import Conv2d, Elementwise, Gemm, Rearrange
from hwsim.spec.builder import Builder
from hwsim.spec.network import Input, Layer, Network


def small() -> Network:
    net = Builder("small")
    x = net.input("image", 3, 8, 8)
    y = net.unary("relu", net.batch_norm(net.conv(x, 4, 3, padding=1, name="conv")))
    y = net.binary("add", y, net.conv(x, 4, 1, bias=True, name="shortcut"), name="add")
    net.softmax(net.linear(net.flatten(y), 10, name="fc"), name="softmax")
    return net.build()


def test_totals():
    net = small()
    # 8*8 pixels of 4 channels from 3*3*3 and 3 values, then 256 values to 10
    assert net.macs == 64 * 4 * 27 + 64 * 4 * 3 + 2560
    assert net.weights == 4 * 27 + 4 * 3 + 2560
    assert (net.parameters.biases, net.parameters.norms) == (4 + 10, 8)
    assert [layer.name for layer in net.mac_layers] == ["conv", "shortcut", "fc"]
    assert (net.input_elements, net.output_elements) == (192, 10)
    assert net.layer("conv").operations == 256 * (2 + 1)  # batch norm and relu


def test_batch():
    net = small()
    assert (net.batch, net.with_batch(5).batch) == (1, 5)
    assert net.with_batch(5).with_batch(1) == net
    assert net.with_batch(5).parameters == net.parameters
    assert net.with_batch(5).macs == 5 * net.macs
    assert net.with_batch(5).layer("conv").operations == 5 * net.layer("conv").operations


def test_graph():
    graph = small().graph
    assert set(graph.edges) == {
        ("conv", "add"),
        ("shortcut", "add"),
        ("add", "flatten1"),
        ("flatten1", "fc"),
        ("fc", "softmax"),
    }
    assert graph.nodes["fc"]["layer"].operator == Gemm(256, 10, bias=True)


def test_unknown_layer():
    with pytest.raises(KeyError):
        small().layer("conv9")


def test_fingerprint_names_the_content():
    net = small()
    assert net.fingerprint() == small().fingerprint()
    changed = [
        net.with_batch(2),
        replace(net, name="other"),
        replace(net, inputs=(Input("image", (192,)),)),
        replace(net, layers=(replace(net.layers[0], fused=()), *net.layers[1:])),
    ]
    assert len({net.fingerprint(), *(other.fingerprint() for other in changed)}) == 5


def test_fingerprint_is_the_same_in_every_process():
    code = "from hwsim.networks import network; print(network('resnet18').fingerprint())"
    runs = {subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout for _ in range(2)}
    assert len(runs) == 1


RELU = Elementwise("relu", 8)


@pytest.mark.parametrize(
    ("inputs", "layers", "message"),
    [
        ((Input("x", (8,)),), (), "at least one layer"),
        ((Input("x", (8,)), Input("x", (8,))), (Layer("a", RELU, inputs=("x",)),), "two inputs"),
        ((Input("x", (8,)),), (Layer("x", RELU, inputs=("x",)),), "x is used twice"),
        ((Input("x", (8,)),), (Layer("a", RELU, inputs=("b",)),), "a reads b, which no earlier layer makes"),
        ((Input("x", (9,)),), (Layer("a", RELU, inputs=("x",)),), r"reads \(8,\) elements, but gets \(9,\)"),
    ],
)
def test_what_makes_no_network(inputs, layers, message):
    with pytest.raises(ValueError, match=message):
        Network("net", inputs, layers)


def test_working_set_by_hand():
    net = Builder("net")
    x = net.input("x", 100)
    a = net.linear(x, 50, name="a")  # x, a alive: 150
    b = net.linear(a, 30, name="b")  # a, b alive: 80
    c = net.linear(a, 60, name="c")  # a, b, c alive: 140
    net.rearrange("concat", (90,), b, c, name="concat")
    made = net.build()
    assert made.working_set_elements() == 150
    assert made.with_batch(3).working_set_elements() == 450


def test_a_view_keeps_what_it_shows_alive():
    net = Builder("net")
    a = net.linear(net.input("x", 10), 40, name="a")
    part = net.rearrange("slice", (4,), a, name="slice")
    b = net.linear(a, 30, name="b")  # a, b: 70, and a stays because of the slice
    c = net.linear(b, 30, name="c")  # a, b, c: 100
    net.binary("add", part, net.linear(c, 4, name="d"), name="e")
    assert net.build().working_set_elements() == 100


def test_order_matters():
    net = Builder("net")
    x = net.input("x", 10)
    wide = [net.linear(x, 100, name=f"wide{i}") for i in (1, 2)]
    thin = [net.linear(y, 10, name=f"thin{i}") for i, y in enumerate(wide, start=1)]
    net.binary("add", *thin, name="add")
    made = net.build()
    assert made.working_set_elements() == 210  # both wide ones and x or a thin one
    assert made.working_set_elements(["wide1", "thin1", "wide2", "thin2", "add"]) == 120
    with pytest.raises(ValueError, match="every layer once"):
        made.working_set_elements(["wide1"])
    with pytest.raises(ValueError, match="thin1 runs before"):
        made.working_set_elements(["thin1", "wide1", "wide2", "thin2", "add"])


@st.composite
def random_networks(draw: st.DrawFn) -> Network:
    """Layers that read one or two earlier tensors; some are slices."""
    sizes = {"x": draw(st.integers(1, 9))}
    layers = []
    for index in range(draw(st.integers(1, 7))):
        sources = tuple(draw(st.lists(st.sampled_from(sorted(sizes)), min_size=1, max_size=2, unique=True)))
        read = tuple(sizes[source] for source in sources)
        name = f"layer{index}"
        if draw(st.booleans()):
            sizes[name] = draw(st.integers(1, sum(read)))
            kind = "slice" if len(sources) == 1 else "concat"
            operator = Rearrange(kind, sizes[name], read)
        else:
            sizes[name] = draw(st.integers(1, 9))
            operator = Elementwise("add", sizes[name], read)
        layers.append(Layer(name, operator, inputs=sources))
    return Network("net", (Input("x", (sizes["x"],)),), tuple(layers))


@given(random_networks())
def test_working_set_equals_a_walk_over_the_steps(net):
    layers = {layer.name: layer for layer in net.layers}

    def stored(name: str) -> set[str]:
        """The tensors in memory that a tensor is made of."""
        if name not in layers or not layers[name].operator.view:
            return {name}
        return set().union(*(stored(source) for source in layers[name].inputs))

    size = {"x": net.input_elements} | {layer.name: layer.output_elements for layer in net.layers}
    unread = set(layers) - {source for layer in net.layers for source in layer.inputs}
    wanted = set().union(*(stored(name) for name in unread))
    peak = 0
    made = {"x"}
    for step, layer in enumerate(net.layers):
        if not layer.operator.view:
            made.add(layer.name)
        ahead = [other for other in net.layers[step:] if not other.operator.view]
        needed = wanted.union(*(stored(source) for other in ahead for source in other.inputs))
        held = {layer.name} if not layer.operator.view else set()
        peak = max(peak, sum(size[name] for name in made & (needed | held)))
    # x is there at the start even if nothing reads it
    assert net.working_set_elements() == max(peak, size["x"])


def test_networkx_is_imported_for_the_graph_only():
    code = "import sys; from hwsim.networks import network; network('lenet5').macs; print('networkx' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout.strip() == "False"


def test_a_layer_knows_its_nest():
    conv = Conv2d(3, 4, kernel=(3, 3), image=(5, 5))
    assert Layer("conv", conv).nest == conv.nest()
    assert Layer("conv", conv).macs == 9 * 4 * 27
    assert Layer("relu", RELU).nest is None
    assert Layer("relu", RELU).macs == 0
