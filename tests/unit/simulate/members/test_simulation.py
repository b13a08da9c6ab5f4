"""Schedules of small ensembles on small chips, by hand, with players in place of the simulator."""

from __future__ import annotations

from typing import Any

import pytest

from hwsim.cost.layer import LayerCost
from hwsim.ensemble.ensemble_cost import map_ensemble
from hwsim.errors import Infeasible
from hwsim.operators.nest import Operand
from hwsim.simulate.layer.played import Played
from hwsim.simulate.members.arrange import Arrangement, Schedule, arrange
from hwsim.simulate.members.auto import SCHEDULES
from hwsim.simulate.members.run import simulate_ensemble
from hwsim.simulate.members.simulation import Once, Player, Simulation, simulated
from hwsim.spec.hardware import Axis, Hardware, Level, Memory
from hwsim.spec.load import load_hardware
from tests.unit.ensemble.examples import EVERYTHING, small_chip, small_ensemble, small_network
from tests.unit.simulate.members.players import faithful, slow

CONV, FC, COMBINER = 1152, 80, 10  # multiplications; operations of averaging two members' five classes
POOL, SOFTMAX, RELU = 48, 23, 64


def arranged(schedule: Schedule, chip: Hardware, *bits: tuple[int, int], **fields: Any) -> Arrangement:
    return arrange(schedule, small_ensemble(*bits, **fields), chip, small_network())


def played(
    schedule: Schedule, chip: Hardware, *bits: tuple[int, int], player: Player = slow, **fields: Any
) -> Simulation:
    return simulated(arranged(schedule, chip, *bits, **fields), player)


def order(simulation: Simulation, lane: int = 0) -> list[tuple[str, str]]:
    return [(stage.member, stage.layer) for stage in simulation.rounds[0].lanes[lane]]


def switching_chip() -> Hardware:
    return small_chip(reconfiguration=10.0, operations_per_cycle=1.0)


def test_serial_is_member_by_member_with_a_switch_where_modes_meet() -> None:
    run = played("serial", switching_chip(), (8, 8), (2, 2))
    layers = ["conv", "pool", "flat", "fc", "softmax"]
    names = [member.cost.name for member in run.members]
    assert order(run) == [(name, layer) for name in names for layer in layers]
    vector = POOL + SOFTMAX
    own = [CONV + FC + vector, (CONV + FC) / 4 + vector]
    assert run.closed_cycles == sum(own) + 2 * 10 + COMBINER
    assert run.cycles == 2 * (sum(own) + COMBINER) + 2 * 10
    assert [member.cycles for member in run.members] == [2 * own[0] + 10, 2 * own[1] + 10]
    assert run.switches == 2
    assert run.time_overhead == run.cycles / (2 * own[0]) - 1
    # The one multiplier is always filled; what multiplies nothing is computed by something else.
    assert run.time_causes == {
        "multiplications": 1.25 * (CONV + FC), "array not filled": 2 * vector + COMBINER,
        "waiting": sum(own) + COMBINER, "mode switches": 20,
    }  # fmt: skip
    assert run.utilization == {"compute": (sum(own) + COMBINER) / run.cycles}


@pytest.mark.parametrize("bits", [((8, 8),), ((8, 8), (2, 2)), ((8, 8), (2, 2), (4, 4)), ((2, 2), (8, 8), (2, 2))])
def test_the_closed_form_of_a_serial_round_is_the_ensemble_s(bits: tuple[tuple[int, int], ...]) -> None:
    for quantize in ("all", "convs"):
        chip = switching_chip()
        run = played("serial", chip, *bits, quantize=quantize)
        cost = map_ensemble(small_ensemble(*bits, quantize=quantize), chip, small_network())
        assert run.closed_cycles == pytest.approx(cost.cycles, rel=1e-12)
        assert run.closed_time_overhead == pytest.approx(cost.overhead.time, rel=1e-12)
        assert run.switches == cost.mode_switches
        assert sum(member.switches for member in run.members) == cost.mode_switches
        assert run.rounds[0].switch_cycles == 10 * cost.mode_switches


def test_batched_at_batch_one_is_serial() -> None:
    serial, batched = (
        played(schedule, switching_chip(), (8, 8), (2, 2), (2, 2), quantize="convs")
        for schedule in ("serial", "batched")
    )
    assert (batched.cycles, order(batched)) == (serial.cycles, order(serial))


def test_a_batch_is_so_many_rounds_in_series_or_one_with_fewer_switches() -> None:
    serial, batched = (
        played(schedule, switching_chip(), (8, 8), (2, 2), batch=3) for schedule in ("serial", "batched")
    )
    assert (serial.inputs, batched.inputs) == (1, 3)
    assert batched.closed_cycles == 3 * serial.closed_cycles - 2 * 20
    assert serial.arrangement.cost.batch == 1


def test_interleaved_members_turn_round_at_every_layer() -> None:
    """Modes 8 | 2 in conv, then 2 | 8 in fc, from where the next round goes on: one change a layer."""
    run = played("interleaved", switching_chip(), (8, 8), (2, 2))
    full, low = (member.cost.name for member in run.members)
    first, second = (full, low) if order(run)[0][0] == full else (low, full)
    turns = [(first, "conv"), (second, "conv"), (second, "fc"), (first, "fc")]
    assert [turn for turn in order(run) if turn[1] in ("conv", "fc")] == turns
    assert [layer for _, layer in order(run)[::2]] == ["conv", "pool", "flat", "fc", "softmax"]
    assert run.switches == 2
    serial = played("serial", switching_chip(), (8, 8), (2, 2))
    assert run.cycles == serial.cycles


def test_interleaving_saves_the_switches_of_layers_that_all_members_run_in_one_mode() -> None:
    """fc stays in full precision: serial changes to conv and back for each of the two narrow members."""
    bits = ((8, 8), (2, 2), (2, 2))
    serial = played("serial", switching_chip(), *bits, quantize="convs")
    turns = played("interleaved", switching_chip(), *bits, quantize="convs")
    assert (serial.switches, turns.switches) == (4, 2)
    assert serial.cycles - turns.cycles == 2 * 10


@pytest.mark.parametrize("bits", [(8, 8), (2, 2)])
def test_interleaving_one_member_changes_nothing(bits: tuple[int, int]) -> None:
    serial, turns = (
        played(schedule, switching_chip(), bits, quantize="convs") for schedule in ("serial", "interleaved")
    )
    assert (turns.cycles, turns.rounds[0].lanes) == (serial.cycles, serial.rounds[0].lanes)
    assert turns.arrangement.working_set_bytes == serial.arrangement.working_set_bytes


def test_the_working_set_of_interleaved_members_is_that_of_all_of_them() -> None:
    """At the second conv the input, 32 elements of 8 bits, and both results, 64 of 8 and of 4 bits. In series it is at
    the first member's pool: the input, which is still to be read, 64 elements and 16."""
    chip, bits = switching_chip(), ((8, 8), (4, 4))
    assert arranged("interleaved", chip, *bits).working_set_bytes == 32 + 64 + 64 / 2
    assert arranged("serial", chip, *bits).working_set_bytes == 32 + 64 + 16


@pytest.mark.parametrize("weights", ["streamed", "resident", "auto", "planned"])
@pytest.mark.parametrize(("size", "readers"), [(None, 1), (1200.0, 1), (100.0, 3)])
def test_interleaved_members_read_the_common_input_once_if_it_fits(
    weights: str, size: float | None, readers: int
) -> None:
    """72 B with its padding, and 397 B of weights; half of the buffer may hold what stays."""
    chip = small_chip(bandwidth=1.0, buffer=size, reconfiguration=10.0)
    bits = ((8, 8), (8, 8), (2, 2))
    if (weights, size) == ("resident", 100.0):
        with pytest.raises(Infeasible, match="weights take"):
            arranged("interleaved", chip, *bits, weights=weights)
        return
    serial, turns = (arranged(schedule, chip, *bits, weights=weights) for schedule in ("serial", "interleaved"))
    assert len(readings(turns)) == readers
    if weights != "planned":  # in series activations of one member at a time stay, which may save more
        assert len(readings(serial)) == 3
        assert turns.cost.dram_bytes <= serial.cost.dram_bytes
    assert all(own.resident for own in turns.members) == (weights != "streamed" and size != 100.0)


def readings(arrangement: Arrangement) -> list[str]:
    """Members that read the input from the outermost memory."""
    return [
        member.name
        for member in arrangement.members
        for access in member.layers[0].traffic
        if access.level == 0 and access.operand is Operand.INPUTS and access.read_bits
    ]


def parallel_chip(width: int, **fields: Any) -> Hardware:
    """`width` multipliers below a buffer, which may divide the outputs' channels."""
    near = Memory(name="buffer", keeps=EVERYTHING, buffering="streaming")
    dram = Memory(name="DRAM", keeps=EVERYTHING, buffering="streaming")
    axis = Axis(name="columns", size=width)
    levels = (Level(name="DRAM", memories=(dram,)), Level(name="buffer", memories=(near,), fanout=(axis,)))
    return small_chip(**fields).model_copy(update={"levels": levels})


def test_partitioned_members_run_side_by_side_on_what_equalises_them() -> None:
    """At 8 and at 2 bits the work is 4 : 1, so that of 5 columns one goes to the narrow member; any dimension may be
    unrolled, but only divisors of it fill the columns."""
    run = played("partitioned", parallel_chip(5, reconfiguration=10.0), (8, 8), (2, 2), player=faithful)
    assert run.arrangement.division == "columns 4 + 1"
    assert run.arrangement.shares == (0.8, 0.2)
    alone = (CONV + FC) / 4
    assert run.rounds[0].lane_cycles == (alone, alone)
    assert run.cycles == alone
    assert run.switches == 0
    assert run.utilization["compute"] == pytest.approx(1.0)
    # What stays in full precision inside the narrow member changes its part's mode, there and back.
    inside = played("partitioned", parallel_chip(5, reconfiguration=10.0), (8, 8), (2, 2), quantize="convs")
    assert inside.switches == 2
    assert order(inside, 1)[0][0] == inside.members[1].cost.name


def test_the_time_of_lanes_is_that_of_the_slowest_and_its_causes_are_too() -> None:
    run = played("partitioned", parallel_chip(2, operations_per_cycle=2.0), (8, 8), (2, 2), player=slow)
    assert run.arrangement.shares == (0.5, 0.5)
    slowest = CONV + FC + POOL + SOFTMAX  # one multiplier, and a vector unit of one operation a cycle
    assert run.cycles == 2 * (slowest + COMBINER / 2)
    assert run.time_causes == {
        "multiplications": CONV + FC, "array not filled": POOL + SOFTMAX + COMBINER / 2,
        "waiting": slowest + COMBINER / 2, "mode switches": 0,
    }  # fmt: skip
    assert run.array_filled == pytest.approx(1.25 * (CONV + FC) / 2 / run.cycles)


@pytest.mark.parametrize(
    ("schedule", "combiner"),
    [*((schedule, "average") for schedule in SCHEDULES), ("serial", "random_switch"), ("batched", "random_switch")],
)
def test_causes_add_up_to_the_round(schedule: Schedule, combiner: str) -> None:
    chip = parallel_chip(6, operations_per_cycle=3.0, reconfiguration=7.0, launch=2.0)
    bits = ((8, 8), (2, 2), (4, 4))
    run = played(schedule, chip, *bits, player=faithful, batch=2, quantize="convs", combiner=combiner)
    assert sum(run.time_causes.values()) == pytest.approx(run.cycles, rel=1e-12)
    assert min(run.time_causes.values()) >= 0
    launches = 4 if combiner == "random_switch" or schedule == "partitioned" else 12  # a view launches nothing
    assert run.time_causes["launch"] == 2 * (launches + (combiner == "average"))


def test_what_a_part_needs_is_told() -> None:
    with pytest.raises(Infeasible, match="2 parts"):
        arranged("partitioned", small_chip(), (8, 8), (2, 2))


def test_one_of_the_members_is_drawn() -> None:
    """Expected: half of each member, and a change in half of all rounds (from 8 to 2 bits or back)."""
    chip = switching_chip()
    run = played("serial", chip, (8, 8), (2, 2), combiner="random_switch")
    vector = POOL + SOFTMAX
    assert run.cycles == (2 * (CONV + FC + vector) + 2 * ((CONV + FC) / 4 + vector)) / 2 + 0.5 * 10
    assert len(run.rounds) == 2
    assert run.switches == 0.5
    assert [one.cycles for one in run.rounds] == [2 * (CONV + FC + vector), 2 * ((CONV + FC) / 4 + vector)]
    assert sum(run.time_causes.values()) == pytest.approx(run.cycles)
    assert run.combiner is None
    inside = played("serial", chip, (8, 8), (2, 2), combiner="random_switch", quantize="convs")
    cost = inside.arrangement.cost
    assert inside.switches == cost.mode_switches == 0.5 + 0.5 * 1  # from fc to conv of the narrow one; inside it
    assert inside.closed_cycles == cost.cycles
    assert [member.switches for member in inside.members] == [0, 1]
    for schedule in ("interleaved", "partitioned"):
        with pytest.raises(Infeasible, match="one member alone"):
            arranged(schedule, parallel_chip(4), (8, 8), (2, 2), combiner="random_switch")


def test_dram_traffic_is_what_was_played() -> None:
    chip = load_hardware("simple_s2")
    ensemble = small_ensemble((16, 16), (16, 16), full_precision_bits=16)

    def player(cost: LayerCost) -> Played:
        return Played(cost.cycles, {}, {}, {("DRAM", "DRAM", "inputs"): (16, 8), ("GLB", "GLB", "inputs"): (64, 64)},
                      {}, 1, 1, 0)  # fmt: skip

    run = simulated(arrange("serial", ensemble, chip, small_network()), player)
    assert run.dram_bytes == 3 * (2 * 5 + 1)


def test_energy_is_the_closed_form_s_but_for_what_leaks_in_the_time_played() -> None:
    """Played in twice the time, a chip leaks twice as much; switches take as long as before."""
    chip = load_hardware("simple_s2", ["leakage=2 W", "datapath.reconfiguration=10"])
    ensemble = small_ensemble((16, 16), (8, 8), full_precision_bits=16)
    for schedule in ("serial", "interleaved"):
        run = simulated(arrange(schedule, ensemble, chip, small_network()), slow)
        cost = run.arrangement.cost
        assert run.energy_joules - cost.energy_joules == pytest.approx(2 * (run.seconds - cost.seconds), rel=1e-9)
        closed, spent = cost.baseline, run.baseline.energy_joules
        assert spent - closed.energy_joules == pytest.approx(2 * closed.seconds, rel=1e-9)
        assert run.energy_overhead == pytest.approx(run.energy_joules / spent - 1)
        assert run.closed_energy_overhead == pytest.approx(cost.overhead.energy)


def test_equal_layers_are_played_once() -> None:
    played: list[str] = []
    told: list[tuple[int, int]] = []

    def player(cost: LayerCost) -> Played:
        played.append(cost.name)
        return faithful(cost)

    once = Once(player, lambda done, total: told.append((done, total)))
    arrangement = arranged("serial", small_chip(), (8, 8), (2, 2), (2, 2))
    once.expect(arrangement.layers)
    run = simulated(arrangement, once)
    # Two widths of conv, of fc, and of what lies between them; results have full precision. A view is a view.
    assert sorted(played) == sorted([*["conv", "pool", "fc"] * 2, "flat", "softmax", "combiner"])
    assert told == [(index, len(played)) for index in range(len(played))]
    assert run.members[1].layers == run.members[2].layers
    count = len(played)
    simulated(arranged("batched", small_chip(), (8, 8), (2, 2), (2, 2)), once)
    assert len(played) == count


def test_a_stream_may_ask_for_rounds_of_fewer_inputs() -> None:
    ensemble = small_ensemble((8, 8), (2, 2), batch=5)
    batched = simulate_ensemble(
        ensemble, switching_chip(), small_network(), schedule="batched", player=faithful, sizes=True
    )
    assert [one.inputs for one in (*batched.smaller, *batched.rounds)] == [1, 2, 4, 5]
    one, two = (one.cycles - one.switch_cycles for one in batched.smaller[:2])
    assert two == 2 * one  # of work, beside two mode switches each
    assert not simulate_ensemble(ensemble, switching_chip(), small_network(), player=faithful, sizes=True).smaller
