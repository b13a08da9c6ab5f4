"""Area against synthesis, CACTI and the chips' own figures."""

from __future__ import annotations

import numpy as np
import pytest

from hwsim.cost.area import chip_area, mac_area, sram_area, sram_density
from hwsim.spec.hardware import Hardware
from hwsim.spec.load import load_hardware

NM = 1e-9
MM2 = 1e-6
KIB = 1024


@pytest.mark.parametrize(
    ("node", "kib", "published"),
    [
        (65, 8, 0.05481),
        (65, 108, 0.7751),
        (45, 1, 0.003599),
        (45, 64, 0.209),
        (45, 4096, 11.99),
        (28, 256, 0.3771),
        (16, 32, 0.01941),
        (7, 64, 0.01865),
    ],
)
def test_sram_against_cacti(node: float, kib: float, published: float) -> None:
    """hwcomponents-cacti 1.0.40, 64-bit port [mm^2]; the model knows only the 1 MiB row of each node."""
    assert sram_area(kib * KIB, node * NM) == pytest.approx(published * MM2, rel=1 / 3)


@pytest.mark.parametrize(("bits", "published"), [(4, 191.0), (8, 510.7), (16, 1679.4)])
def test_multiplier_against_synthesis(bits: int, published: float) -> None:
    """Fixed-width units of a 4 x 4 array at 45 nm released with Bit Fusion [um^2], registers included."""
    assert mac_area(bits, bits, 32, 45 * NM) == pytest.approx(published * 1e-12, rel=0.3)


def test_parts_at_45_nm_are_the_published_ones() -> None:
    """Horowitz, ISSCC 2014: 8-bit multiply 282 um^2, 32-bit add 137 um^2."""
    assert mac_area(8, 8, 32, 45 * NM) == pytest.approx(419e-12)


def test_density_rises_as_nodes_shrink_and_beyond_the_table() -> None:
    nodes = np.array([3, 5, 7, 10, 16, 22, 28, 40, 45, 65, 90, 130]) * NM
    assert (np.diff(sram_density(nodes)) > 0).all()
    assert sram_density(130 * NM) == pytest.approx(4 * sram_density(65 * NM))


def test_arrays_broadcast() -> None:
    sizes, nodes = np.array([KIB, 2 * KIB]), np.array([[7], [16], [65]]) * NM
    assert sram_area(sizes, nodes).shape == (3, 2)
    assert sram_area(sizes, nodes)[2, 1] == sram_area(2 * KIB, 65 * NM)
    assert mac_area(np.arange(1, 9)[:, None], np.arange(1, 5), 32, 7 * NM).shape == (8, 4)


@pytest.mark.parametrize(("chip", "node", "published"), [("eyeriss_v1", 65, 3.5 * 3.5), ("rapid", 7, 36)])
def test_memories_and_multipliers_are_a_part_of_the_published_chip(chip: str, node: float, published: float) -> None:
    """Chen et al., JSSC 2017, Table IV: core 3.5 mm x 3.5 mm. RaPiD, ISSCC 2021: 36 mm^2 [mm^2]."""
    area = chip_area(load_hardware(chip), node * NM)
    assert 0.05 * published < area.total / MM2 < published


def test_every_instance_counts_and_the_outermost_level_does_not() -> None:
    area = chip_area(load_hardware("eyeriss_v1"), 65 * NM)
    assert set(area.memories) == {"GLB", "filters", "row", "filter", "ifmap", "psum"}
    assert area.memories["filter"] == pytest.approx(168 * float(sram_area(448, 65 * NM)))
    assert area.datapath == pytest.approx(168 * float(mac_area(16, 16, 16, 65 * NM)))


def test_areas_in_the_file_stand() -> None:
    chip = Hardware.model_validate(
        {
            "name": "chip",
            "clock": 1e9,
            "levels": [
                {"name": "DRAM", "memories": [{"name": "DRAM", "keeps": ["weights", "inputs", "outputs"]}]},
                {
                    "name": "GLB",
                    "memories": [{"name": "GLB", "keeps": ["inputs"], "size": KIB, "area": "0.5 mm2"}],
                    "fanout": [{"name": "X", "size": 10}],
                },
            ],
            "datapath": {"style": "composable", "native": 8, "widths": [8], "mac_area": "500 um2", "area_overhead": 2},
            "vector": {"operations_per_cycle": 1},
        }
    )
    area = chip_area(chip, 28 * NM)
    assert area.memories == {"GLB": pytest.approx(0.5 * MM2)}
    assert area.datapath == pytest.approx(10 * 1000e-12)
