"""A chip's derived figures, by hand, and the rules between its fields when it is built in Python."""

from __future__ import annotations

import math
from typing import Any

import pytest
from pydantic import ValidationError

from hwsim.operators.nest import Operand
from hwsim.spec.hardware import Hardware, Level, Memory
from hwsim.units import Bandwidth

ALL = tuple(Operand)


def chip(**changes: Any) -> Hardware:
    """DRAM, over 2 x 3 buffers, over 4 datapaths each."""
    fields: dict[str, Any] = {
        "name": "chip",
        "clock": 1e9,
        "levels": [
            {
                "name": "DRAM",
                "memories": [{"name": "DRAM", "keeps": ALL, "bandwidth": Bandwidth(16e9, "second")}],
                "fanout": [{"name": "X", "size": 2}, {"name": "Y", "size": 3}],
            },
            {
                "name": "buffer",
                "memories": [
                    {"name": "W", "keeps": ["weights"], "optional": ["weights"], "size": 1024},
                    {"name": "O", "keeps": ["outputs"], "size": 512, "buffering": "single"},
                ],
                "fanout": [{"name": "lane", "size": 4}],
            },
        ],
        "datapath": {"style": "table", "modes": [{"weights": 8, "activations": 8, "macs_per_cycle": 1}]},
        "vector": {"operations_per_cycle": 8},
    }
    return Hardware.model_validate({**fields, **changes})


def test_instances_multiply_down_the_hierarchy() -> None:
    hardware = chip()
    assert [hardware.instances(i) for i in range(3)] == [1, 6, 24]
    assert hardware.datapaths == 24
    assert hardware.level("buffer").instances_below == 4
    with pytest.raises(KeyError, match="GLB"):
        hardware.level("GLB")


def test_a_level_knows_which_memory_keeps_what() -> None:
    level = chip().level("buffer")
    assert level.keeps == {Operand.WEIGHTS, Operand.OUTPUTS}
    assert level.optional == {Operand.WEIGHTS}
    assert level.memory(Operand.OUTPUTS) is level.memories[1]
    assert level.memory(Operand.INPUTS) is None
    assert Level(name="wires").keeps == frozenset()
    assert Level(name="wires").instances_below == 1


@pytest.mark.parametrize(
    ("size", "buffering", "usable"),
    [(1024, "double", 512), (1024, "single", 1024), (1024, "streaming", 1024), (None, "double", math.inf)],
)
def test_double_buffering_leaves_half_for_a_tile(size: int | None, buffering: Any, usable: float) -> None:
    assert Memory(name="m", keeps=ALL, size=size, buffering=buffering).usable_bytes == usable


def test_a_chip_is_a_key_and_survives_its_own_dump() -> None:
    assert {chip(): 1}[chip()] == 1
    assert Hardware.model_validate(chip().model_dump()) == chip()
    assert Hardware.model_validate(chip().model_dump(mode="json")) == chip()
    assert chip(clock="1 GHz") == chip()
    assert chip(clock=2e9).fingerprint() != chip().fingerprint()


@pytest.mark.parametrize(
    ("level", "change", "location", "message"),
    [
        (
            0,
            {"memories": []},
            ("levels", 0, "memories"),
            "must keep every operand, but not weights or inputs or outputs",
        ),
        (0, {"name": "buffer"}, ("levels", 1, "name"), "another level is named 'buffer' already"),
        (
            0,
            {"fanout": [{"name": "X", "size": 1}] * 2},
            ("levels", 0, "fanout", 1, "name"),
            "another axis is named 'X'",
        ),
        (1, {"fanout": [{"name": "lanes", "size": 1}]}, ("levels", 1, "fanout", 0, "name"), "choose another"),
        (
            1,
            {"fanout": [{"name": "X", "size": 1, "dims": ["K", "C", "K"]}]},
            ("levels", 1, "fanout", 0, "dims", 2),
            "'K' stands here twice",
        ),
        (1, {"loops": ["N", "N"]}, ("levels", 1, "loops", 1), "'N' stands here twice"),
        (1, {"stationary": ["inputs"] * 2}, ("levels", 1, "stationary", 1), "'inputs' stands here twice"),
        (
            1,
            {"memories": [{"name": "a", "keeps": ["weights"]}, {"name": "b", "keeps": ["inputs", "weights"]}]},
            ("levels", 1, "memories", 1, "keeps", 1),
            "'weights' are already kept by 'a' of the same level",
        ),
        (
            1,
            {"memories": [{"name": "a", "keeps": ["weights"]}, {"name": "a", "keeps": ["inputs"]}]},
            ("levels", 1, "memories", 1, "name"),
            "another memory is named 'a' already",
        ),
        (
            1,
            {"memories": [{"name": "a", "keeps": ["weights"], "optional": ["inputs"]}]},
            ("levels", 1, "memories", 0, "optional", 0),
            "does not keep them",
        ),
        (
            0,
            {"memories": [{"name": "a", "keeps": ALL, "optional": ["inputs"]}]},
            ("levels", 0, "memories", 0, "optional", 0),
            "the outermost level keeps every operand",
        ),
        (
            1,
            {"memories": [{"name": "a", "keeps": ALL, "bandwidth": "1 B/s", "write_bandwidth": "1 B/s"}]},
            ("levels", 1, "memories", 0, "write_bandwidth"),
            "not both",
        ),
    ],
)
def test_rules_between_fields(
    level: int, change: dict[str, Any], location: tuple[str | int, ...], message: str
) -> None:
    levels = chip().model_dump(mode="json")["levels"]
    levels[level] |= change
    with pytest.raises(ValidationError) as caught:
        chip(levels=levels)
    (error,) = caught.value.errors()
    assert error["loc"] == location
    assert message in error["msg"]


def test_every_broken_rule_is_reported() -> None:
    levels = chip().model_dump(mode="json")["levels"]
    levels[0]["name"] = "buffer"
    levels[0]["memories"][0]["keeps"] = ["weights", "weights"]
    with pytest.raises(ValidationError) as caught:
        chip(levels=levels)
    assert {error["loc"] for error in caught.value.errors()} == {
        ("levels", 1, "name"),
        ("levels", 0, "memories", 0, "keeps", 1),
        ("levels", 0, "memories"),
    }


@pytest.mark.parametrize(
    "change", [{"levels": []}, {"clock": 0}, {"name": ""}, {"vector": {"operations_per_cycle": 0}}, {"launch": -1}]
)
def test_values_out_of_range_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        chip(**change)
