"""Changes from the command line, and what is said of those that lead nowhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hwsim.errors import SpecError
from hwsim.spec.load import load_hardware

Write = Callable[[str], Path]


@pytest.mark.parametrize(
    ("override", "get", "value"),
    [
        ("clock=2 GHz", lambda h: h.clock, 2e9),
        (" clock = 2 GHz ", lambda h: h.clock, 2e9),
        ("launch=5 us", lambda h: h.launch, 5e-6),
        ("description=a = b", lambda h: h.description, "a = b"),
        ("levels.GLB.memories.GLB.size=256 KiB", lambda h: h.levels[1].memories[1].size, 256 * 1024),
        ("levels[1].memories[GLB].size=256 KiB", lambda h: h.levels[1].memories[1].size, 256 * 1024),
        ("levels.1.fanout.X.size=32", lambda h: h.levels[1].fanout[0].size, 32),
        ("levels.1.fanout.X.dims.1=P", lambda h: h.levels[1].fanout[0].dims, ("K", "P")),
        ("levels.DRAM.memories.0.energy.read=1 pJ/bit", lambda h: h.levels[0].memories[0].energy.read, 1e-12),
        ("levels.GLB.memories.GLB.energy.write=1 pJ/bit", lambda h: h.levels[1].memories[1].energy.write, 1e-12),
        ("levels.GLB.tile.K=4", lambda h: h.levels[1].tile.get("K"), 4),
        ("levels.GLB.loops=[K, C]", lambda h: h.levels[1].loops, ("K", "C")),
        ("datapath.modes.0.macs_per_cycle=2", lambda h: h.datapath.modes[0].macs_per_cycle, 2),
        ("vector={operations_per_cycle: 4}", lambda h: h.vector.operations_per_cycle, 4),
        ("systolic=true", lambda h: h.systolic, True),
    ],
)
def test_a_path_reaches_its_field(
    override: str, get: Callable[[Any], Any], value: Any, chip: str, write: Write
) -> None:
    path = write(chip)
    assert get(load_hardware(path)) != value
    assert get(load_hardware(path, [override])) == value


def test_later_changes_go_over_earlier_ones(chip: str, write: Write) -> None:
    assert load_hardware(write(chip), ["clock=2 GHz", "clock=3 GHz"]).clock == 3e9


@pytest.mark.parametrize(
    ("override", "fault"),
    [
        ("clock=2", "--set clock=2: clock: missing unit: write e.g. 1545 MHz"),
        ("clok=2 GHz", "--set clok=2 GHz: the file has no key 'clok' (did you mean clock?)"),
        ("vector.energi=1 pJ", "--set vector.energi=1 pJ: vector has no key 'energi' (did you mean energy?)"),
        ("vector.x=1", "--set vector.x=1: vector has no key 'x' (known keys: operations_per_cycle, energy)"),
        ("levels.GBL.tile=1", "--set levels.GBL.tile=1: levels has no entry 'GBL' (did you mean GLB?)"),
        ("levels.7.tile=1", "--set levels.7.tile=1: levels has no entry '7' (known entries: DRAM, GLB)"),
        ("levels.-1.tile=1", "--set levels.-1.tile=1: levels has no entry '-1' (known entries: DRAM, GLB)"),
        ("levels.GLB.fanout.X.dims.9=K", "--set levels.GLB.fanout.X.dims.9=K: levels[1].fanout[0].dims has no entry "
                                         "'9' (known entries: 0 to 1)"),
        ("levels.DRAM.fanout.X.size=2", "--set levels.DRAM.fanout.X.size=2: levels[0].fanout is not there, and so has "
                                        "no 'X'"),
        ("clock.x=1", "--set clock.x=1: clock is '1 GHz', and so has no 'x'"),
        ("clock", "--set clock: write PATH=VALUE, with a path such as levels.DRAM.memories.DRAM.bandwidth"),
        ("=1", "--set =1: write PATH=VALUE, with a path such as levels.DRAM.memories.DRAM.bandwidth"),
        ("levels..size=1", "--set levels..size=1: write PATH=VALUE, with a path such as "
                           "levels.DRAM.memories.DRAM.bandwidth"),
        ("clock=", "--set clock=: gives no value"),
        ("clock=[1", "--set clock=[1: while parsing a flow sequence that starts on line 1, expected ',' or ']', but "
                     "got '<stream end>'"),
        ("vector={energy: 1 pJ, energy: 2 pJ, operations_per_cycle: 1}",
         "--set vector={energy: 1 pJ, energy: 2 pJ, operations_per_cycle: 1}: key 'energy' is here twice; the first is "
         "on line 1"),
        ("levels.GLB.fanout.X.size=0", "--set levels.GLB.fanout.X.size=0: levels[1].fanout[0].size: must be at least "
                                       "1, not 0"),
        ("clock=!x 1", "--set clock=!x 1: tags are not read: remove '!x'"),
        ("clock=\n", r"--set clock=\n: gives no value"),
    ],
)  # fmt: skip
def test_what_leads_nowhere(override: str, fault: str, chip: str, write: Write) -> None:
    with pytest.raises(SpecError) as caught:
        load_hardware(write(chip), [override])
    assert str(caught.value) == fault


def test_faults_of_changes_and_of_the_file_come_together(chip: str, write: Write) -> None:
    with pytest.raises(SpecError) as caught:
        load_hardware(write(chip.replace("name: small", "nam: small")), ["x=1", "y=2"])
    assert len(caught.value.faults) == 4  # both changes, the unknown key, the missing key
