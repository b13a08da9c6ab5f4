"""Members mapped as planned: what was promised comes true, and nothing is ever worse than if nothing stayed."""

from __future__ import annotations

from typing import Literal

from hypothesis import given, settings, strategies as st

from hwsim.ensemble.candidates import serial
from hwsim.ensemble.ensemble_cost import EnsembleCost, map_ensemble
from hwsim.ensemble.network_cost import NetworkCost, map_network
from hwsim.ensemble.plan import Plan
from hwsim.operators.nest import Operand
from hwsim.spec.builder import Builder
from hwsim.spec.hardware import Hardware
from tests.unit.ensemble.examples import FULL, small_chip, small_ensemble, small_network

W, I, O = Operand.WEIGHTS, Operand.INPUTS, Operand.OUTPUTS  # noqa: E741

Cost = EnsembleCost | NetworkCost

#: Moved where nothing stays and every tensor is moved once: see `test_candidates.test_one_network` [B].
STREAMED = (72 + 72 + 64) + (64 + 16) + (16 + 85 + 5) + (5 + 5)


def alone(chip: Hardware, weights: Literal["streamed", "auto", "planned"] = "planned") -> NetworkCost:
    """With as little traffic as can be: DRAM alone costs energy."""
    return map_network(small_network(), chip, FULL, FULL, full_precision_bits=FULL, weights=weights, objective="energy")


def kept(plan: Plan | None) -> set[tuple[str, int | None, str]]:
    assert plan is not None
    return {(item.kind, item.member, item.name) for item in plan.kept}


def test_with_room_for_everything_only_the_image_comes_and_the_result_goes() -> None:
    cost = alone(small_chip())
    assert cost.dram_bytes == 72 + 5
    assert cost.plan is not None
    assert (cost.plan.saves, cost.plan.left) == (STREAMED - 77, ())
    assert (cost.resident, cost.kept_bits) == (True, cost.storage.total)
    stays = {layer.name: layer.problem.resident for layer in cost.layers if layer.problem}
    assert stays == {"conv": {W, O}, "fc": {W, I, O}}


def test_the_best_of_what_fits_stays() -> None:
    """Tiles leave 150 B. While pool runs, the result of conv (64 B, saves 128) leaves room for the weights of fc (85 B,
    saves 85), or those of conv (72 B, 72), or for its own result (16 B, 32) alone; that of fc (5 B, 10) fits in later.
    """
    chip = small_chip(buffer=300)
    assert alone(chip, "streamed").dram_bytes == STREAMED
    cost = alone(chip)
    assert kept(cost.plan) == {("activations", 0, "conv"), ("weights", 0, "fc"), ("activations", 0, "fc")}
    assert cost.dram_bytes == STREAMED - (128 + 85 + 10)
    assert (cost.resident, cost.kept_bits) == (False, 8 * 85)
    assert cost.plan is not None
    assert cost.plan.taken((1, "buffer")) == (8 * (85 + 64), 8 * (85 + 64), 8 * 85, 8 * 90, 8 * 90)


def test_the_second_member_finds_the_input_on_the_chip() -> None:
    two = small_ensemble((8, 8), (8, 8), weights="planned")
    cost = map_ensemble(two, small_chip(), small_network())
    assert [member.dram_bytes for member in cost.members] == [72 + 5, 5]
    assert cost.baseline.dram_bytes == 72 + 5
    first, second = (member.layers[0].problem for member in cost.members)
    assert first is not None
    assert second is not None
    assert (first.resident, second.resident) == ({W, O}, {W, I, O})


def test_a_vector_layer_may_bring_the_input() -> None:
    """Pool reads the image of 32 B first, though inputs could pass the buffer by."""
    net = Builder("pooled")
    x = net.input("image", 2, 4, 4)
    net.linear(net.flatten(net.pool("max", x, 2)), 2, bias=False, name="fc")
    chip = small_chip()
    memory = chip.levels[1].memories[0].model_copy(update={"optional": (I,)})
    level = chip.levels[1].model_copy(update={"memories": (memory,)})
    cost = map_ensemble(
        small_ensemble((8, 8), (8, 8), weights="planned"),
        small_chip(levels=(chip.levels[0], level)),
        net.build(),
    )
    first, second = (
        {(access.level, access.operand): access.writes for access in member.layers[0].traffic}
        for member in cost.members
    )
    assert (first[1, I], second[1, I]) == (32, 0)
    assert [member.layers[0].dram_bytes for member in cost.members] == [32, 0]


def test_in_another_order_other_things_stay() -> None:
    """The image (16 B, saves 16) stays until the second member reads it. Member by member that is while `second` runs
    in the first, which reads 12 B (save 24) and makes 64 B (save 128): one of the three is too much for the 90 B that
    tiles leave. Layer by layer the second reading comes at once."""
    net = Builder("chain")
    x = net.conv(net.input("image", 4, 2, 2), 3, 1, bias=False, name="first")
    net.conv(net.conv(x, 16, 1, bias=False, name="second"), 1, 1, bias=False, name="third")
    network, chip = net.build(), small_chip(buffer=180)
    ensemble = small_ensemble((8, 8), (8, 8), weights="planned")
    turns = [(index, layer) for layer in range(3) for index in range(2)]
    serially, layerwise = (
        map_ensemble(ensemble, chip, network, objective="energy", timeline=order)
        for order in (serial([network] * 2), turns)
    )
    image = ("input", None, "image")
    assert image not in kept(serially.plan)
    assert {("activations", 0, "first"), ("activations", 0, "second")} <= kept(serially.plan)
    assert image in kept(layerwise.plan)
    assert [member.layers[0].problem.resident & {I} for member in layerwise.members if member.layers[0].problem] == [
        set(),
        {I},
    ]


def test_a_member_that_is_drawn_is_alone() -> None:
    drawn = small_ensemble((8, 8), (8, 8), weights="planned", combiner="random_switch")
    cost = map_ensemble(drawn, small_chip(), small_network())
    assert [member.dram_bytes for member in cost.members] == [77, 77]
    assert cost.plan is not None
    assert cost.plan.saves == STREAMED - 77
    assert cost.dram_bytes == 77


def test_a_layer_that_no_longer_fits_gets_room_back() -> None:
    """The dataflow wants all weights of a layer at once: `after` needs 16 B for them, 4 for inputs and 8 for sums, 28
    of 40. Tiles leave 20. Most would save the weights of `wide` (16 B, 16) with the result of `before` (4 B, 8); but
    then 24 B are left to `after`. Next best are the results of `before` and `wide` (8 each) with the weights of
    `before` (4), since the weights and biases of `after` (20 B, 20) would leave none to `wide`."""
    net = Builder("wide")
    x = net.linear(net.input("token", 1), 4, bias=False, name="before")
    net.linear(net.linear(x, 4, bias=False, name="wide"), 4, name="after")
    level = small_chip(buffer=40).levels[1].model_copy(update={"tile": {"C": "full", "K": "full"}})
    chip = small_chip(levels=(small_chip().levels[0], level))
    network = net.build()
    streamed, planned = (
        map_network(network, chip, FULL, FULL, full_precision_bits=FULL, weights=weights)
        for weights in ("streamed", "planned")
    )
    assert streamed.dram_bytes - planned.dram_bytes == 8 + 8 + 4
    assert kept(planned.plan) == {("activations", 0, "before"), ("activations", 0, "wide"), ("weights", 0, "before")}


def check(planned: Cost, streamed: Cost, auto: Cost) -> None:
    """What holds for every plan."""
    assert planned.plan is not None
    for home, room in planned.plan.room.items():
        assert all(bits <= most for bits, most in zip(planned.plan.taken(home), room, strict=True))
    assert planned.dram_bytes <= streamed.dram_bytes
    slowest = streamed.cycles * (1 + 1e-9)
    assert planned.cycles <= slowest
    if auto.cycles <= slowest:
        assert planned.dram_bytes <= auto.dram_bytes


@settings(max_examples=25)
@given(
    buffer=st.integers(40, 900),
    bits=st.lists(st.sampled_from((2, 4, 8)), min_size=1, max_size=3),
    bandwidth=st.sampled_from((None, 0.5, 4.0)),
    combiner=st.sampled_from(("average", "random_switch")),
    interleave=st.booleans(),
)
def test_never_worse_than_if_nothing_stayed(
    buffer: int, bits: list[int], bandwidth: float | None, combiner: str, interleave: bool
) -> None:
    network, chip = small_network(), small_chip(buffer=buffer, bandwidth=bandwidth)
    turns = [(index, layer) for layer in range(5) for index in range(len(bits))] if interleave else None
    costs = {}
    for weights in ("streamed", "auto", "planned"):
        ensemble = small_ensemble(*((width, width) for width in bits), weights=weights, combiner=combiner)
        costs[weights] = map_ensemble(ensemble, chip, network, timeline=turns)
    streamed, auto, planned = costs.values()
    check(planned, streamed, auto)
    check(planned.baseline, streamed.baseline, auto.baseline)
