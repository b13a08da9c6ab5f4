"""A systolic array in hwsim's terms takes SCALE-Sim's cycles."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil

import pytest

from hwsim.cost.layer import price
from hwsim.validate import Report
from hwsim.validate._report import published
from hwsim.validate.scalesim import BITS, array, lowered, stationary


@pytest.mark.parametrize("row", published("scalesim", "stallfree.csv"), ids=lambda row: "-".join(row.values()))
def test_cycles_are_one_more_than_the_last_cycle_s_number(row: dict[str, str]) -> None:
    nest, hardware = lowered(row), array(row)
    assert price(nest, hardware, stationary(nest, hardware), BITS, BITS).cycles == int(row["cycles"]) + 1


@pytest.mark.parametrize("dataflow", ["os", "ws", "is"])
def test_closed_form_by_hand(dataflow: str) -> None:
    """10 pixels, 7 filters, a reduction of 12 on a 4 x 3 array; tiles are short on both axes."""
    row = {
        "height": "10", "width": "1", "R": "1", "S": "1", "C": "12", "K": "7", "stride": "1", "rows": "4",
        "columns": "3", "dataflow": dataflow,
    }  # fmt: skip
    pixels, filters, reduction = 10, 7, 12
    down, across, through = {
        "os": (pixels, filters, reduction),
        "ws": (reduction, filters, pixels),
        "is": (reduction, pixels, filters),
    }[dataflow]
    loading = 0 if dataflow == "os" else 4
    folds = ceil(down / 4) * ceil(across / 3)
    nest, hardware = lowered(row), array(row)
    cost = price(nest, hardware, stationary(nest, hardware), BITS, BITS)
    assert cost.cycles == folds * (loading + 4 + 3 - 2 + through)


def test_the_mapper_finds_the_dataflow_s_own_mapping(reported: Callable[[str], Report]) -> None:
    (table,) = reported("scalesim").tables
    assert table.column("mapper's") == table.column("cycles")
