"""The plan as people read it."""

from __future__ import annotations

import io
import json

from rich.console import Console

from hwsim.ensemble.ensemble_cost import map_ensemble
from hwsim.report.records import Record, ensemble_record, text
from hwsim.report.residency import NAMED, plan_parts
from hwsim.report.table import totals_table
from hwsim.spec.builder import Builder
from hwsim.spec.network import Network
from tests.unit.ensemble.examples import small_chip, small_ensemble, small_network


def record(*bits: tuple[int, int], buffer: float | None = None, network: Network | None = None) -> Record:
    ensemble = small_ensemble(*bits, weights="planned")
    return ensemble_record(
        map_ensemble(ensemble, small_chip(buffer=buffer), network or small_network(), objective="energy")
    )


def printed(*parts: object) -> list[str]:
    """Lines, with one space between words."""
    screen = Console(file=io.StringIO(), width=200)
    for part in parts:
        screen.print(part)
    assert isinstance(screen.file, io.StringIO)
    return [" ".join(line.split()) for line in screen.file.getvalue().splitlines()]


def test_what_stays_from_when_to_when_and_what_it_saves() -> None:
    assert printed(*plan_parts(record((8, 8), (8, 8)))) == [
        "stays on the chip memory size from until saves DRAM",
        "fp1, fp2",
        "result of conv buffer 64 B conv pool 128 B",
        "weights of fc buffer 85 B always 85 B",
        "weights of conv buffer 72 B always 72 B",
        "result of pool buffer 16 B pool fc 32 B",
        "result of fc buffer 5 B fc softmax 10 B",
        "all members",
        "input image buffer 72 B fp1 conv fp2 conv 72 B",
        # Twice 327 B and 72 B; twice 157 B of weights, the image, and the results of conv and pool while pool runs.
        "What stays of the ensemble saves 726 B of DRAM traffic an inference.",
        "buffer is fullest at fp1 pool: 466 B.",
        "What stays of the baseline saves 327 B of DRAM traffic an inference.",
        "buffer is fullest at baseline pool: 237 B.",
    ]


def test_what_is_left_out_and_the_room_there_is() -> None:
    """See `test_planned.test_the_best_of_what_fits_stays`."""
    lines = printed(*plan_parts(record((8, 8), buffer=300)))
    said = (
        "What stays of the ensemble saves 223 B of DRAM traffic an inference; what is left out would have saved 104 B."
    )
    assert said in lines
    assert "buffer is fullest at fp1 conv: 149 B of the 150 B that are not kept for tiles." in lines
    (total,) = [line for line in printed(totals_table(record((8, 8), buffer=300))) if line.startswith("fp1")]
    assert total.endswith(f" {85 / 157:.0%} stay")


def test_the_rest_is_added_up() -> None:
    """A chain of 12 layers of one weight each: 12 weights save a byte each, 11 results two."""
    net = Builder("chain")
    x = net.input("token", 1)
    for _ in range(12):
        x = net.linear(x, 1, bias=False)
    lines = printed(*plan_parts(record((8, 8), network=net.build())))
    assert len([line for line in lines if line.startswith("result of ")]) == NAMED
    assert f"{23 - NAMED} more {2 + 12} B" in lines


def test_nothing_is_said_of_a_plan_that_there_is_not() -> None:
    ensemble = small_ensemble((8, 8), weights="auto")
    given = ensemble_record(map_ensemble(ensemble, small_chip(), small_network()))
    assert given["ensemble"]["plan"] is given["baseline"]["plan"] is None
    assert list(plan_parts(given)) == []


def test_the_record_is_json() -> None:
    plan = json.loads(text(record((8, 8), (2, 2))))["ensemble"]["plan"]
    assert plan["memories"] == [
        {
            "memory": "buffer",
            "room_bytes": None,  # without limit
            "fullest_bytes": 157 + 38 + 5 + 64 + 16 + 72,
            "fullest_at": {"member": "fp1", "layer": "pool"},
        }
    ]
    assert plan["kept"][-1] == {
        "kind": "input",
        "member": None,
        "name": "image",
        "memory": "buffer",
        "bytes": 72,
        "from": {"member": "fp1", "layer": "conv"},
        "until": {"member": "w2a2-1", "layer": "conv"},
        "dram_bytes_saved": 18,
    }
