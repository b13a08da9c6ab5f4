"""The chips of a space against the same changes made one by one, and what else a space is made of."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from itertools import product
from math import prod
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from hwsim.cost.area import chip_area
from hwsim.errors import SpecError
from hwsim.search.design.grid import Chip, Scenario, chips, choices, grid, read_space, scenarios, wholes
from hwsim.spec.load import load_hardware
from hwsim.spec.space import Ensembles, Space, Span
from hwsim.spec.steps import expand

#: Fields of eyeriss_v1, and what each may be.
FIELDS: dict[str, list[Any]] = {
    "clock": ["100 MHz", "200 MHz", "0.25 GHz"],
    "launch": ["0 s", "1 us", "5 us"],
    "levels.DRAM.memories.DRAM.bandwidth": ["1 GB/s", "2.5 GB/s", "8 B/cycle", None],
    "levels[1].memories.GLB.size": ["64 KiB", "108 KiB", "1 MiB"],
    "levels.0.fanout": [[], [{"name": "clusters", "size": 4, "dims": ["N", "K"]}]],
    "levels.1.tile": [{}, {"K": 4, "R": "full"}],
    "vector.operations_per_cycle": [1, 2.5, float("inf")],
    "systolic": [True, False],
    "description": ["1: a chip, # of sorts", "another"],
}


def space(knobs: list[dict[str, Any]], base: str | list[str] = "eyeriss_v1", **changes: Any) -> Space:
    return Space.model_validate(
        {
            "name": "s",
            "subjects": [{"network": "lenet5"}],
            "chips": {"base": base, "knobs": knobs, **changes},
            "objectives": {"time_overhead": "minimise"},
        }
    )


@st.composite
def knobs(draw: st.DrawFn) -> list[dict[str, Any]]:
    paths = draw(st.lists(st.sampled_from(list(FIELDS)), unique=True, max_size=3))
    return [
        {
            "path": path,
            "values": draw(st.lists(st.sampled_from(FIELDS[path]), min_size=1, max_size=3, unique_by=repr)),
            **draw(st.sampled_from([{}, {"name": f"knob {i}"}])),
        }
        for i, path in enumerate(paths)
    ]


def overrides(knobs: list[dict[str, Any]], chip: Chip) -> Iterator[str]:
    for knob in knobs:
        text = chip.knobs[knob.get("name", knob["path"])]
        yield f"{knob['path']}={chr(34) + text + chr(34) if '#' in text else text}"


@settings(max_examples=25)
@given(knobs(), st.sampled_from(["eyeriss_v1", ["eyeriss_v1"], ["eyeriss_v1", "simba"]]))
def test_every_value_lands_in_its_field(knobs: list[dict[str, Any]], base: str | list[str]) -> None:
    bases = [base] if isinstance(base, str) else base
    made = chips(space(knobs, base))
    assert len(made) == len(bases) * prod(len(knob["values"]) for knob in knobs) == grid(space(knobs, base)).count
    assert len({tuple(chip.knobs.values()) for chip in made}) == len(made)
    for chip in made:
        assert chip.area is None
        assert chip.hardware == load_hardware(chip.knobs.get("base", bases[0]), overrides(knobs, chip))


@given(knobs())
def test_a_space_survives_its_writing(knobs: list[dict[str, Any]]) -> None:
    written = space(knobs).model_dump_json()
    assert Space.model_validate_json(written) == space(knobs)
    assert grid(Space.model_validate_json(written)) == grid(space(knobs))


def test_what_is_sent_to_another_process_arrives() -> None:
    made = chips(space([{"path": "launch", "values": ["2 us", "1 us"]}], node="65 nm"))
    assert pickle.loads(pickle.dumps(made)) == made


def test_the_last_knob_varies_fastest() -> None:
    made = chips(
        space(
            [
                {"path": "launch", "values": ["2 us", "1 us"]},
                {"name": "size", "path": "levels.GLB.memories.GLB.size",
                 "range": {"from": "64 KiB", "to": "128 KiB", "factor": 2}},
            ],
            ["simba", "eyeriss_v1"],
        )
    )  # fmt: skip
    assert [chip.knobs for chip in made] == [
        {"base": base, "launch": launch, "size": size}
        for base in ("simba", "eyeriss_v1")
        for launch in ("2 us", "1 us")
        for size in ("64 KiB", "128 KiB")
    ]
    assert [chip.hardware.levels[1].memories[0].size for chip in made] == [65536, 131072] * 4
    assert [chip.hardware.name for chip in made] == ["simba"] * 4 + ["eyeriss_v1"] * 4


def test_a_choice_sets_several_fields() -> None:
    made = chips(
        space(
            [
                {
                    "name": "array",
                    "choices": {
                        "as it is": {},
                        "large": {"levels.GLB.memories.GLB.size": "1 MiB", "levels.DRAM.memories.DRAM.size": "4 GB"},
                    },
                }
            ]
        )
    )
    plain = load_hardware("eyeriss_v1")
    assert [chip.knobs for chip in made] == [{"array": "as it is"}, {"array": "large"}]
    assert made[0].hardware == plain
    glb, dram = made[1].hardware.levels[1].memories[0], made[1].hardware.levels[0].memories[0]
    assert (glb.size, dram.size) == (2**20, 4e9)


def test_chips_may_be_equal() -> None:
    made = chips(space([{"path": "clock", "values": ["200 MHz", "0.2 GHz"]}]))
    assert [chip.knobs["clock"] for chip in made] == ["200 MHz", "0.2 GHz"]
    assert made[0].hardware == made[1].hardware


def test_areas_are_those_of_the_chips() -> None:
    knob = {"path": "levels.GLB.memories.GLB.size", "values": ["108 KiB", "216 KiB"]}
    made = chips(space([knob], node="65 nm"))
    assert [chip.area for chip in made] == [chip_area(chip.hardware, 65e-9).total for chip in made]
    assert made[0].area is not None
    assert made[1].area is not None
    assert made[0].area < made[1].area


def test_a_base_without_knobs_is_one_chip() -> None:
    assert chips(space([])) == (Chip({}, load_hardware("eyeriss_v1"), None),)


def test_a_chip_of_a_grid_too_large_to_make() -> None:
    buffer = {"path": "levels.GLB.memories.GLB.size", "range": {"from": "1 B", "to": "9999 B", "step": "1 B"}}
    energies = [
        {
            "path": f"levels.DRAM.memories.DRAM.energy.{way}",
            "range": {"from": "1 pJ/bit", "to": "5000 pJ/bit", "step": "1 pJ/bit"},
        }
        for way in ("read", "write")
    ]
    large = grid(space([buffer, *energies]))
    assert large.count == 9999 * 5000 * 5000
    chip = large.chip((8999, 0, 4999))
    energy = chip.hardware.levels[0].memories[0].energy
    assert chip.hardware.levels[1].memories[0].size == 9000
    assert (energy.read, energy.write) == (1e-12, 5e-9)
    with pytest.raises(IndexError):
        large.chip((9999, 0, 0))


def test_what_does_not_fit_is_told_all_at_once() -> None:
    with pytest.raises(SpecError) as caught:
        chips(space([{"path": "clock", "values": ["1 GHz", 2]}, {"path": "lunch", "values": ["1 us"]}]))
    assert str(caught.value).splitlines() == [
        "chips.knobs[0].values[1]: clock: missing unit: write e.g. 1545 MHz",
        "chips.knobs[1].path: the file has no key 'lunch' (did you mean launch?)",
    ]
    with pytest.raises(SpecError, match="turin: no such file"):
        chips(space([], "turin"))


def test_scenarios_are_every_subject_batch_and_combiner() -> None:
    subjects = [{"network": "lenet5"}, {"network": "alexnet", "quantize": "convs"}]
    ensembles = {"batch": (16, 1), "combiner": ("max_vote", "average")}
    given = Space.model_validate({**space([]).model_dump(mode="json"), "subjects": subjects, "ensembles": ensembles})
    assert scenarios(given) == tuple(
        Scenario(subject, batch, combiner)
        for subject, batch, combiner in product(given.subjects, (1, 16), ("max_vote", "average"))
    )


def test_choices_are_pairs_of_widths_in_ascending_order() -> None:
    found = choices(
        Ensembles(full_precision=2, low_precision=(3, 0), weights=(4, 1), activations=(8, 2), full_precision_bits=16)
    )
    assert (found.full_precision, found.low_precision, found.full) == ((2,), (0, 3), 16)
    assert found.precisions == ((1, 2), (1, 8), (4, 2), (4, 8))


@given(st.integers(0, 50), st.integers(0, 50), st.integers(1, 20))
def test_spans_hold_what_counting_finds(first: int, more: int, step: int) -> None:
    counted, number = [], first
    while number <= first + more:
        counted.append(number)
        number += step
    assert wholes(Span.model_validate({"from": first, "to": first + more, "step": step})) == tuple(counted)
    assert wholes(first) == (first,)


def test_ranges_are_expanded_as_by_hand() -> None:
    axes = grid(space([{"path": "launch", "range": {"from": "0.1 us", "to": "0.3 us", "step": "0.1 us"}}])).axes
    assert axes == {"launch": ("0.1 us", "0.2 us", "0.3 us")}
    assert axes["launch"] == expand("0.1 us", "0.3 us", "0.1 us")


SPACE = """\
name: s
subjects:
  - {network: mnistcon}
  - {network: {name: bert_base, length: 3}}
  - {network: mnistconv, quantize: {full_precision: [conv1, conv9]}}
  - {network: nowhere.onnx}
chips: {base: eyeriss_v1, knobs: [{path: clock, values: [1]}]}
objectives: {time_overhead: minimize}
"""


def test_networks_are_found_and_faults_come_with_all_others(tmp_path: Path) -> None:
    path = tmp_path / "space.yaml"
    path.write_text(SPACE)
    with pytest.raises(SpecError) as caught:
        read_space(path)
    lines = [line.removeprefix(f"{path}:") for line in str(caught.value).splitlines()]
    starts = [
        "3:15: subjects[0].network: unknown network 'mnistcon' (did you mean mnistconv?)",
        "4:15: subjects[1].network: bert_base has no parameter 'length' (did you mean sequence_length?)",
        "5:61: subjects[2].quantize.full_precision[1]: no multiply-accumulate layer is named 'conv9'",
        f"6:15: subjects[3].network: {tmp_path / 'nowhere.onnx'}: ",
        "7:58: chips.knobs[0].values[0]: clock: missing unit",
        "8:29: objectives.time_overhead: must be minimise or maximise, not 'minimize'",
    ]
    assert [line[: len(start)] for line, start in zip(lines, starts, strict=True)] == starts


def test_a_good_space_is_read(tmp_path: Path) -> None:
    path = tmp_path / "space.yaml"
    path.write_text("name: s\nsubjects: [{network: lenet5, quantize: {full_precision: [c1]}}]\n"
                    "chips: {base: eyeriss_v1}\nobjectives: {members: maximise}\n")  # fmt: skip
    assert read_space(path, ["keep=all"]).keep == "all"
