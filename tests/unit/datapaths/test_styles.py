"""How a hardware file names a style."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

import hwsim.datapaths
from hwsim.datapaths import STYLES, Datapath, DatapathStyle
from hwsim.datapaths.composable import Composable
from hwsim.errors import Infeasible

ADAPTER: TypeAdapter[DatapathStyle] = TypeAdapter(Datapath)


def test_every_file_of_the_folder_is_a_style() -> None:
    files = {path.stem for path in Path(hwsim.datapaths.__file__).parent.glob("*.py")} - {"__init__", "base"}
    assert set(STYLES) == files == {"table", "subword", "composable", "bit_serial"}


def test_style_chooses_the_class() -> None:
    unit = ADAPTER.validate_python({"style": "composable", "native": 8, "widths": [2, 4, 8]})
    assert isinstance(unit, Composable)
    with pytest.raises(ValidationError, match="'systolic'"):
        ADAPTER.validate_python({"style": "systolic"})


def test_fields_of_other_styles_are_refused() -> None:
    with pytest.raises(ValidationError, match="serial"):
        ADAPTER.validate_python({"style": "composable", "native": 8, "widths": [8], "serial": "both"})


@pytest.mark.parametrize("bits", [0, -4])
def test_operands_need_a_bit(bits: int) -> None:
    unit = ADAPTER.validate_python({"style": "composable", "native": 8, "widths": [8]})
    with pytest.raises(Infeasible, match="at least 1 bit"):
        unit.mode(bits, 8)
