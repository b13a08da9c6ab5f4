"""What could stay on the chip, counted by hand."""

from __future__ import annotations

import pytest

from hwsim.ensemble.candidates import Member, candidates, serial
from hwsim.ensemble.network_cost import map_network
from hwsim.ensemble.plan import Item, Turn
from hwsim.ensemble.precision import precisions
from hwsim.operators.nest import Operand
from hwsim.spec.builder import Builder
from hwsim.spec.hardware import Hardware, Level, Memory
from hwsim.spec.network import Network
from tests.unit.ensemble.examples import FULL, small_chip, small_network

W, I, O = Operand.WEIGHTS, Operand.INPUTS, Operand.OUTPUTS  # noqa: E741


def member(network: Network, chip: Hardware, bits: int = FULL) -> Member:
    """Quantised to so many bits; what lies in DRAM is moved once, since the buffer is large."""
    cost = map_network(network, chip, bits, bits, full_precision_bits=FULL)
    return Member(network, precisions(network, bits, bits, "all", FULL), cost.layers)


def found(
    *members: Member, chip: Hardware, timeline: tuple[Turn, ...] | None = None, drawn: bool = False
) -> dict[tuple[str, int | None, str], Item]:
    order = timeline or serial([own.network for own in members])
    items = candidates(members, chip, order, drawn=drawn)
    assert len({(item.kind, item.member, item.name) for item in items}) == len(items)
    return {(item.kind, item.member, item.name): item for item in items}


def sizes(items: dict[tuple[str, int | None, str], Item]) -> dict[str, tuple[float, tuple[int, int], float]]:
    """Size [B], first and last position, bytes saved, by kind and name."""
    return {f"{kind} {name}": (item.bits / 8, item.steps, item.saves) for (kind, _, name), item in items.items()}


def test_one_network() -> None:
    """conv (72 weights), pool, a view, fc (80 weights, 5 biases), softmax, at a byte each: conv makes 64, pool 16 and
    fc 5 elements, written once and read once. The image is read once, and softmax makes the result."""
    chip = small_chip()
    assert sizes(found(member(small_network(), chip), chip=chip)) == {
        "weights conv": (72, (0, 4), 72),
        "weights fc": (85, (0, 4), 85),
        "activations conv": (64, (0, 1), 64 + 64),
        "activations pool": (16, (1, 3), 16 + 16),  # fc reads it through the view
        "activations fc": (5, (3, 4), 5 + 5),
    }


def test_members_share_the_input() -> None:
    """Padded to 6 x 6 x 2 = 72 elements, which the kernels count: read at a byte, then at a quarter of one."""
    chip = small_chip()
    both = found(member(small_network(), chip), member(small_network(), chip, 2), chip=chip)
    image = both["input", None, "image"]
    assert (image.bits / 8, image.steps, image.saves) == (72, (0, 5), 72 / 4)
    assert [(use.turn, use.brings, use.saves) for use in image.uses] == [((0, 0), True, 0), ((1, 0), False, 18)]
    assert both["weights", 1, "conv"].bits == 72 * 2
    assert both["activations", 1, "pool"].steps == (6, 8)


def test_the_timeline_says_when() -> None:
    """Where the narrower member reads first, it brings less than the other needs, and nothing is shared."""
    chip, network = small_chip(), small_network()
    turns = tuple((index, layer) for layer in range(5) for index in (1, 0))
    both = found(member(network, chip), member(network, chip, 2), chip=chip, timeline=turns)
    assert not any(kind == "input" for kind, _, _ in both)
    assert both["activations", 0, "conv"].steps == (1, 3)
    assert both["weights", 0, "conv"].steps == (0, 9)
    with pytest.raises(ValueError, match="every layer of every member once"):
        found(member(network, chip), chip=chip, timeline=turns)


def test_a_narrow_reader_before_the_widest_does_without() -> None:
    """Of readers at 2, 8 and 2 bits the first reads for itself, the second brings, the third is spared 72 / 4 bytes."""
    chip, network = small_chip(), small_network()
    three = found(member(network, chip, 2), member(network, chip), member(network, chip, 2), chip=chip)
    image = three["input", None, "image"]
    assert (image.bits / 8, image.steps, image.saves) == (72, (5, 10), 18)
    assert [(use.turn, use.brings) for use in image.uses] == [((1, 0), True), ((2, 0), False)]


def test_members_that_are_drawn_share_nothing() -> None:
    chip = small_chip()
    one, both = (found(*[member(small_network(), chip)] * count, chip=chip, drawn=count > 1) for count in (1, 2))
    assert not any(kind == "input" for kind, _, _ in both)
    assert {key: item.saves for key, item in both.items() if key[1] == 0} == {
        key: item.saves / 2 for key, item in one.items()
    }


def branches() -> Network:
    """An image that two layers read, joined by a view and by an addition; the sum is the result."""
    net = Builder("branches")
    x = net.input("image", 4, 2, 2)
    left, right = net.conv(x, 4, 1, name="left"), net.conv(x, 4, 1, name="right")
    joined = net.rearrange("concat", (8, 2, 2), left, right, name="joined")
    net.binary("add", net.conv(joined, 4, 1, name="after"), left, name="sum")
    return net.build()


def test_tensors_that_a_view_joins_stay_together() -> None:
    """left and right have 16 B. left is written once, and read by `after` (as half of its 32 B) and by `sum`."""
    chip = small_chip()
    items = sizes(found(member(branches(), chip), chip=chip))
    assert {name: item for name, item in items.items() if not name.startswith("weights")} == {
        "input image": (16, (0, 1), 16),
        "activations left + right": (32, (0, 4), 16 + 16 + 32 + 16),
        "activations after": (16, (3, 4), 16 + 16),
    }
    joined = found(member(branches(), chip), chip=chip)["activations", 0, "left + right"]
    assert [joined.at(position) / 8 for position in range(5)] == [16, 32, 32, 32, 16]


def test_tensors_joined_with_what_is_learned_do_not_stay() -> None:
    net = Builder("token")
    x = net.conv(net.input("image", 4, 2, 2), 4, 1, name="conv")
    net.conv(net.rearrange("concat", (8, 2, 2), x, constants=16, name="joined"), 4, 1, name="after")
    chip = small_chip()
    assert set(sizes(found(member(net.build(), chip), chip=chip))) == {"weights conv", "weights after"}


def test_what_is_written_and_read_in_different_memories_does_not_stay() -> None:
    """Sums have a buffer of their own; pool writes into the one and fc reads from the other, and so do all."""
    dram, _ = small_chip().levels
    apart = (Memory(name="near", keeps=(W, I)), Memory(name="sums", keeps=(O,)))
    chip = small_chip(levels=(dram, Level(name="buffer", memories=apart)))
    items = found(*[member(small_network(), chip)] * 2, chip=chip)
    assert {kind for kind, _, _ in items} == {"weights", "input"}
    assert {item.home for item in items.values()} == {(1, "near")}


def test_nothing_stays_where_nothing_keeps_it() -> None:
    chip = small_chip(levels=small_chip().levels[:1])
    assert found(member(small_network(), chip), chip=chip) == {}


def test_a_product_of_two_activations_keeps_either() -> None:
    """scores = q k^T: 2 x 3 by 3 x 2, each read once. k takes the place of the weights."""
    net = Builder("attention")
    x = net.input("tokens", 2, 3)
    q, k = net.linear(x, 3, bias=False, name="q"), net.linear(x, 3, bias=False, name="k")
    net.matmul(q, k, heads=1, columns=2, name="scores")
    chip = small_chip()
    items = found(member(net.build(), chip), chip=chip)
    assert ("weights", 0, "scores") not in items
    key = items["activations", 0, "k"]
    assert (key.bits / 8, key.saves) == (6, 6 + 6)
    assert [(use.operand, use.source) for use in key.uses] == [(O, ""), (W, "k")]
