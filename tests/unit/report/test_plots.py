"""What pictures of an ensemble show: read back from what was drawn, against the costs that map_ensemble found."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from hwsim.cache.layers import remembered
from hwsim.ensemble import ensemble_cost
from hwsim.ensemble.ensemble_cost import EnsembleCost
from hwsim.mapper import map_layer
from hwsim.report.breakdown import MOST_LAYERS, breakdown, draw_breakdown, layer_seconds
from hwsim.report.figure import COLOURS, copies, empty_figure, write_figure
from hwsim.report.grid import MemberGrid, Ways, draw_grid, grid_rows, member_grid, members
from hwsim.report.roofline import draw_roofline, outermost_bandwidth, roofline
from hwsim.search.measured.robustness import Robust
from hwsim.spec.ensemble import Ensemble
from hwsim.spec.hardware import Hardware
from hwsim.spec.load import load_hardware
from hwsim.spec.space import Subject

MAPPER = remembered(map_layer)


def map_ensemble(ensemble: Ensemble, hardware: Hardware, **options: float) -> EnsembleCost:
    """Layers that several tests need are mapped once."""
    return ensemble_cost.map_ensemble(ensemble, hardware, mapper=MAPPER, **options)  # type: ignore[arg-type]


def ensemble(network: str = "lenet5", **fields: object) -> Ensemble:
    members = [{"weights": 32, "activations": 32}, {"weights": 2, "activations": 4, "count": 2}]
    return Ensemble.model_validate(
        {"name": "test", "network": network, "members": members, "quantize": "convs", **fields}
    )


@pytest.fixture(scope="module")
def cost() -> EnsembleCost:
    return map_ensemble(ensemble(batch=16), load_hardware("turing"))


def test_members_that_cost_the_same_are_shown_once(cost: EnsembleCost) -> None:
    assert [(name, member.name) for name, member in copies(cost.members)] == [
        ("fp", "fp1"),
        ("w2a4 (2 copies)", "w2a4-1"),
    ]
    assert [name for name, _ in copies(cost.members[1:2])] == ["w2a4"]


def test_a_spot_is_what_a_layer_attains_over_what_it_moves(cost: EnsembleCost) -> None:
    drawn = roofline(cost)
    layers = [layer for member in cost.members[:2] for layer in member.layers if layer.macs]
    assert [spot.layer for spot in drawn.spots] == [layer.name for layer in layers]
    for spot, layer in zip(drawn.spots, layers, strict=True):
        assert spot.intensity == layer.macs / layer.dram_bytes
        assert spot.rate == pytest.approx(layer.macs / layer.seconds)
    # 68 processors of 64 lanes, and of 8 tensor cores of 256 4-bit multiply-accumulates a cycle, at 1545 MHz.
    assert drawn.peaks == {
        "w32a32": pytest.approx(68 * 64 * 1545e6),
        "w4a4": pytest.approx(68 * 8 * 256 * 1545e6),
    }
    assert drawn.bandwidth == 616e9


def test_no_layer_is_above_the_roofs(cost: EnsembleCost) -> None:
    drawn = roofline(cost)
    for spot in drawn.spots:
        roof = min(drawn.peaks[spot.mode], drawn.bandwidth * spot.intensity)
        assert spot.rate <= roof * (1 + 1e-9)


def test_the_roofline_is_drawn_where_it_is(cost: EnsembleCost) -> None:
    drawn = roofline(cost)
    axes = draw_roofline(Figure(layout="constrained"), drawn)
    points = np.concatenate([group.get_offsets() for group in axes.collections])
    assert points.tolist() == [[spot.intensity, spot.rate] for spot in drawn.spots]
    low, high = axes.get_xlim()
    flat = [line.get_ydata()[0] for line in axes.get_lines() if len(set(line.get_ydata())) == 1]
    assert flat == list(drawn.peaks.values())
    (slope,) = [line for line in axes.get_lines() if len(set(line.get_ydata())) > 1]
    x, y = slope.get_data()
    assert np.allclose(np.asarray(y) / x, drawn.bandwidth)
    assert x[0] == low
    assert x[-1] == max(drawn.peaks.values()) / drawn.bandwidth < high
    texts = {text.get_text(): text.get_window_extent() for text in axes.texts}
    assert {spot.layer for spot in drawn.spots} <= set(texts)
    assert not any(one.overlaps(other) for one, other in combinations(texts.values(), 2))


def test_layers_that_move_nothing_stand_at_the_edge() -> None:
    kept = map_ensemble(ensemble(weights="planned"), load_hardware("turing"))
    drawn = roofline(kept)
    still = [spot for spot in drawn.spots if spot.intensity == float("inf")]
    assert still, "nothing stays on the chip entirely: choose another example"
    axes = draw_roofline(Figure(layout="constrained"), drawn)
    xs = np.concatenate([group.get_offsets()[:, 0] for group in axes.collections])
    assert np.isfinite(xs).all()
    assert xs.max() < axes.get_xlim()[1]


def test_ports_apart_add_up_and_one_without_limit_is_none() -> None:
    def chip(**ports: str) -> Hardware:
        changed = load_hardware("turing")
        memory = changed.levels[0].memories[0]
        values = memory.model_dump() | {"bandwidth": None} | ports
        level = changed.levels[0].model_copy(update={"memories": (type(memory).model_validate(values),)})
        return changed.model_copy(update={"levels": (level, *changed.levels[1:])})

    assert outermost_bandwidth(chip(bandwidth="100 GB/s")) == pytest.approx(100e9)
    assert outermost_bandwidth(chip(read_bandwidth="100 GB/s", write_bandwidth="2 B/cycle")) == pytest.approx(103.09e9)
    assert outermost_bandwidth(chip(read_bandwidth="100 GB/s")) == float("inf")
    assert outermost_bandwidth(chip()) == float("inf")


@pytest.mark.parametrize("chip", ["turing", "bitfusion", "tpu_v1"])
def test_the_parts_of_a_layer_s_time_add_up(chip: str) -> None:
    narrow = {"members": [{"weights": 8, "activations": 8}, {"weights": 4, "activations": 4}], "full_precision_bits": 8}
    mapped = map_ensemble(ensemble(**narrow), load_hardware(chip))
    for member in mapped.members:
        for layer in member.layers:
            parts = layer_seconds(layer, mapped.hardware.clock)
            assert sum(parts.values()) == pytest.approx(layer.seconds)
            assert all(amount > 0 for amount in parts.values())
            assert layer.cycles == 0 or layer.bound in parts


def test_rows_times_copies_are_the_ensemble(cost: EnsembleCost) -> None:
    drawn = breakdown(cost)
    times = {"w2a4 (2 copies)": 2}
    assert sum(times.get(row.member, 1) * sum(row.seconds.values()) for row in drawn.rows) == pytest.approx(
        cost.seconds
    )
    joules = sum(times.get(row.member, 1) * sum(row.joules.values()) for row in drawn.rows)
    assert joules == pytest.approx(cost.energy_joules)
    assert (drawn.seconds, drawn.joules) == (cost.seconds, cost.energy_joules)


def test_mode_switches_have_rows_of_their_own() -> None:
    chip = load_hardware("turing", ["datapath.reconfiguration=1000 cycles"])
    mapped = map_ensemble(ensemble(), chip)
    switching = {
        row.member: row.seconds["mode switches"] for row in breakdown(mapped).rows if row.layer == "mode switches"
    }
    # Inside w2a4 from its convolutions to the rest; between members into and out of the two of them.
    assert switching == {
        "w2a4 (2 copies)": pytest.approx(1000 / chip.clock),
        "ensemble": pytest.approx(2 * 1000 / chip.clock),
    }


def test_bars_are_as_long_as_the_layers_take(cost: EnsembleCost) -> None:
    drawn = breakdown(cost)
    left, right = draw_breakdown(Figure(layout="constrained"), drawn)
    for axes, whole in ((left, [row.seconds for row in drawn.rows]), (right, [row.joules for row in drawn.rows])):
        ends: dict[float, float] = {}
        for bar in axes.patches:
            assert isinstance(bar, Rectangle)
            middle = round(bar.get_y() + bar.get_height() / 2, 6)
            assert bar.get_x() == pytest.approx(ends.get(middle, 0.0))  # bars stand end to end
            ends[middle] = bar.get_x() + bar.get_width()
        assert list(ends.values()) == pytest.approx([sum(parts.values()) for parts in whole])
    assert [text.get_text() for text in left.get_yticklabels()] == [row.layer for row in drawn.rows]
    (alone,) = left.collections
    assert alone.get_offsets()[:, 0].tolist() == [row.compute for row in drawn.rows if row.compute]


def test_small_layers_of_a_deep_network_are_added_up() -> None:
    mapped = map_ensemble(ensemble("resnet18"), load_hardware("empir_ideal"), effort=1)
    drawn = breakdown(mapped)
    own = [row for row in drawn.rows if row.member == "fp"]
    assert len(own) == MOST_LAYERS
    assert own[-1].layer.endswith("other layers")
    assert sum(sum(row.seconds.values()) for row in own) == pytest.approx(mapped.members[0].seconds)


def test_a_chip_without_energies_says_so() -> None:
    chip = load_hardware("turing")
    free = [
        memory.model_copy(update={"energy": type(memory.energy)()})
        for level in chip.levels
        for memory in level.memories
    ]
    names = {memory.name: memory for memory in free}
    levels = tuple(
        level.model_copy(update={"memories": tuple(names[memory.name] for memory in level.memories)})
        for level in chip.levels
    )
    modes = tuple(mode.model_copy(update={"energy": 0.0}) for mode in chip.datapath.modes)  # type: ignore[union-attr]
    vector = chip.vector.model_copy(update={"energy": 0.0})
    datapath = chip.datapath.model_copy(update={"modes": modes})
    mapped = map_ensemble(
        ensemble(), chip.model_copy(update={"levels": levels, "datapath": datapath, "vector": vector, "leakage": 0.0})
    )
    _, right = draw_breakdown(Figure(layout="constrained"), breakdown(mapped))
    assert "the chip prices no energy" in {text.get_text() for text in right.texts}


MEASURED = {
    ((32, 32),): Robust(0.96, 0.10, 0.08, 0.12, 1000),
    ((32, 32), (2, 4)): Robust(0.97, 0.40, 0.37, 0.43, 1000),
}


@pytest.fixture(scope="module")
def grid() -> MemberGrid:
    ways = Ways(
        Subject.model_validate({"network": "lenet5", "quantize": "convs"}), load_hardware("turing"), ((2, 4), (4, 4))
    )
    known = MEASURED.get
    return member_grid(ways, range(2), range(3), known, "an attack", budget=1.0, mapper=MAPPER)  # type: ignore[arg-type]


def test_the_members_of_a_cell_take_the_precisions_in_turn() -> None:
    ways = Ways(Subject.model_validate({"network": "lenet5"}), load_hardware("turing"), ((4, 4), (2, 2)))
    assert members(ways, 2, 3) == ((32, 32), (32, 32), (2, 2), (2, 2), (4, 4))
    assert members(ways, 0, 1) == ((4, 4),)


def test_cells_are_what_the_same_ensembles_cost(grid: MemberGrid) -> None:
    assert [(cell.full, cell.low) for cell in grid.cells] == [(0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]
    alone = {cell.members: (cell.time, cell.storage) for cell in grid.cells}
    assert alone["fp"] == (1, 1)
    own = ensemble(
        members=[{"weights": 32, "activations": 32}, {"weights": 2, "activations": 4}, {"weights": 4, "activations": 4}]
    )
    mapped = map_ensemble(own, load_hardware("turing"))
    assert alone["fp + w2a4 + w4a4"] == (1 + mapped.overhead.time, 1 + mapped.overhead.storage)
    assert [cell.members for cell in grid.missing] == ["w2a4", "w2a4 + w4a4", "fp + w2a4 + w4a4"]


def test_what_was_not_measured_is_hatched_and_what_is_within_the_budget_framed(grid: MemberGrid) -> None:
    clean, robust, time, storage = draw_grid(Figure(layout="constrained"), grid)
    assert sum(patch.get_hatch() is not None for patch in clean.patches) == 3
    texts = [text.get_text() for text in robust.texts]
    assert texts == ["not\nmeasured", "not\nmeasured", "10.0\n[8.0, 12.0]", "40.0\n[37.0, 43.0]", "not\nmeasured"]
    assert [text.get_text() for text in clean.texts if "not" not in text.get_text()] == ["96.0", "97.0"]
    for axes, values in ((time, [cell.time for cell in grid.cells]), (storage, [cell.storage for cell in grid.cells])):
        frames = [patch for patch in axes.patches if not patch.get_fill()]
        assert len(frames) == sum(value is not None and value <= 2 for value in values) > 0
        assert [text.get_text() for text in axes.texts] == [f"{value:.3g}×" for value in values]
        at = [(text.get_position()) for text in axes.texts]
        assert at == [(cell.low, cell.full) for cell in grid.cells]
    assert len({patch.get_facecolor() for patch in robust.patches if patch.get_hatch() is None}) == 2


def test_an_ensemble_without_a_mapping_leaves_its_cell_empty() -> None:
    ways = Ways(Subject.model_validate({"network": "lenet5"}), load_hardware("turing"), ((2, 4),), weights="resident")
    huge = ways.subject.model_validate({"network": "alexnet"})
    drawn = member_grid(Ways(huge, ways.hardware, ways.low, weights="resident"), [1], [0], lambda _: None, "nothing")
    (cell,) = drawn.cells
    assert (cell.time, cell.storage) == (None, None)
    assert cell.why
    axes = draw_grid(Figure(layout="constrained"), drawn)
    assert [text.get_text() for text in axes[2].texts] == ["no\nmapping"]
    assert next(grid_rows(drawn))["why"] == cell.why


@pytest.mark.parametrize(("suffix", "start"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF")])
def test_pictures_of_every_kind_are_written_the_same_every_time(tmp_path: Path, suffix: str, start: bytes) -> None:
    content = []
    for _ in range(2):
        figure = empty_figure(3, 2)
        figure.subplots().scatter([1, 2], [3, 4], label="points")
        write_figure(tmp_path / f"picture{suffix}", figure)
        content.append((tmp_path / f"picture{suffix}").read_bytes())
    assert content[0][: len(start)] == start
    assert content[0] == content[1]


def test_colours_are_distinct() -> None:
    assert len(set(COLOURS)) == len(COLOURS)
