"""What every chip in hw_configs/ keeps to, and the peak rates that their makers publish."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from hwsim.spec.hardware import Hardware
from hwsim.spec.load import load_hardware

FOLDER = Path(__file__).resolve().parents[2] / "hw_configs"
FILES = sorted(FOLDER.glob("*.yaml"))
CHIPS = {path.stem: load_hardware(path) for path in FILES}
BITS = np.array([1, 2, 3, 4, 6, 8, 12, 16, 24, 32])

every_file = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
every_chip = pytest.mark.parametrize("chip", CHIPS.values(), ids=CHIPS.keys())


def trillions(chip: Hardware, bits: int, clock: float | None = None) -> float:
    """Peak of the chip, two operations a multiply-accumulate [1e12 operations/s]."""
    macs = chip.datapaths * float(chip.datapath.throughput(bits, bits))
    return 2 * macs * (clock or chip.clock) / 1e12


@pytest.mark.parametrize(
    ("name", "bits", "printed", "clock"),
    [
        ("turing", 32, "14.2", 1.635e9),  # Founders Edition; NVIDIA blog, quoted with Jia et al. arXiv:1903.07486
        ("turing", 16, "113.8", 1.635e9),  # the same, FP16 sums
        ("t4", 32, "8.1", None),  # NVIDIA T4 data sheet, and the next three
        ("t4", 16, "65", None),
        ("t4", 8, "130", None),
        ("t4", 4, "260", None),
        ("t4", 2, "260", None),
        ("a100", 32, "19.5", None),  # NVIDIA A100 data sheet, and the next
        ("a100", 16, "312", None),
        ("h100", 16, "989", None),  # NVIDIA H100 data sheet, dense, and the next
        ("h100", 8, "1979", None),
        ("h100", 4, "1979", None),  # no INT4 in Hopper's tensor cores
        ("ibm_vlsi18", 16, "1.5", None),  # Fleischer et al., VLSI 2018, abstract, and the next two
        ("ibm_vlsi18", 2, "12", None),
        ("ibm_vlsi18", 1, "24", None),
        ("rapid", 8, "26.2", None),  # Lee et al., JSSC 2022, and the next
        ("rapid", 4, "104.9", None),
        ("tpu_v1", 8, "92", None),  # Jouppi et al., ISCA 2017, Table 2
        ("eyeriss_v1", 16, "0.0336", 100e6),  # Chen et al., JSSC 2017, Table IV: 16.8 GMAC/s at 100 MHz, and the next
        ("eyeriss_v1", 16, "0.0840", 250e6),  # 42.0 GMAC/s
        ("simba", 8, "4.01", None),  # Shao et al., MICRO 2019, one chip
    ],
)
def test_peak_is_what_was_published(name: str, bits: int, printed: str, clock: float | None) -> None:
    """To within one unit of the last digit printed."""
    digit = 10.0 ** -len(printed.partition(".")[2])
    assert trillions(CHIPS[name], bits, clock) == pytest.approx(float(printed), abs=digit, rel=0)


@pytest.mark.parametrize(
    ("name", "macs"),
    [
        ("nvdla_large", 64 * 32),  # nvdla/hw spec/defs: MAC_ATOMIC_C x MAC_ATOMIC_K
        ("gemmini", 128 * 128),  # Hong et al., DOSA
        ("bitfusion", 16 * 32),  # hsharma35/bitfusion bf_e_conf.ini
        ("simple_s0", 16 * 16),
        ("simple_s1", 16 * 16),
        ("simple_s2", 16 * 16),
    ],
)
def test_native_multipliers(name: str, macs: int) -> None:
    assert CHIPS[name].datapaths == macs
    assert CHIPS[name].datapath.throughput(8, 8) == 1


@pytest.mark.parametrize(
    ("weights", "activations", "speed"), [(8, 8, 1), (8, 16, 1 / 2), (16, 8, 1 / 2), (16, 16, 1 / 4)]
)
def test_tpu_speed_by_width(weights: int, activations: int, speed: float) -> None:
    """Jouppi et al., ISCA 2017, section 2."""
    assert CHIPS["tpu_v1"].datapath.throughput(weights, activations) == speed


def test_empir_ideal_is_equation_6() -> None:
    """Sen et al., ICLR 2020: 32/k, so three members of 4 bits or fewer take 0.375 and 1 + 2 of them 1.25."""
    time = 1 / CHIPS["empir_ideal"].datapath.throughput(BITS, BITS)
    share = dict(zip(BITS.tolist(), (time / time[-1]).tolist(), strict=True))
    assert [share[k] for k in (32, 16, 8, 4, 3, 2)] == [1, 1 / 2, 1 / 4, 1 / 8, 1 / 8, 1 / 8]
    assert share[2] + share[3] + share[4] == 0.375
    assert share[32] + 2 * float(time[1] / time[-1]) == 1.25


@every_chip
def test_name_is_the_file(chip: Hardware) -> None:
    assert CHIPS[chip.name] is chip
    assert chip.description.endswith(".")


@every_chip
def test_memories_have_names_of_their_own(chip: Hardware) -> None:
    names = [memory.name for level in chip.levels for memory in level.memories]
    assert len(set(names)) == len(names)


@every_chip
def test_narrower_operands_are_neither_slower_nor_dearer(chip: Hardware) -> None:
    throughput, energy = (f(BITS[:, None], BITS) for f in (chip.datapath.throughput, chip.datapath.energy))
    for axis in (0, 1):
        assert (np.diff(throughput, axis=axis) <= 0).all()
        assert (np.diff(energy, axis=axis) >= 0).all()
    assert (energy > 0).all()


@every_file
def test_every_figure_has_a_source_or_is_an_estimate(path: Path) -> None:
    header = [line for line in path.read_text().splitlines() if line.startswith("#")]
    sources = set(re.findall(r"^# \[(\w+)\]", "\n".join(header), re.MULTILINE))
    assert sources
    cited: set[str] = set()
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        content, _, comment = line.partition("#")
        if not content.strip() or content.startswith(("name:", "description:", "technology:")):
            continue
        figures = re.sub(r"\b(name|keeps|dims): *(\[[^]]*\]|[\w]+)", "", content)
        quoted = set(re.findall(r"\[(\w+)\]", comment))
        if re.search(r"\d|\.inf", figures):
            assert quoted or "estimate:" in comment, f"{path.name}:{number}: where does {content.strip()} come from?"
        assert quoted <= sources, f"{path.name}:{number}: {quoted - sources} is explained nowhere"
        cited |= quoted
    assert cited == sources, f"{path.name}: {sources - cited} is cited nowhere"
