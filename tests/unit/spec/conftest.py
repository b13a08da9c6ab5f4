"""Files small enough to read, from which the tests make broken ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

CHIP = """\
name: small
clock: 1 GHz
levels:
  - name: DRAM
    memories:
      - name: DRAM
        keeps: [weights, inputs, outputs]
        bandwidth: 16 GB/s
        energy: {read: 12.5 pJ/bit, write: 12.5 pJ/bit}
  - name: GLB
    memories:
      - {name: WB, keeps: [weights], size: 64 KiB, optional: [weights]}
      - {name: GLB, keeps: [inputs, outputs], size: 128 KiB, read_bandwidth: 64 B/cycle}
    fanout:
      - {name: X, size: 16, dims: [K, N]}
      - {name: Y, size: 8, dims: [C], multicast: false}
    tile: {R: full, S: 2}
datapath: {style: table, modes: [{weights: 16, activations: 16, macs_per_cycle: 1}]}
vector: {operations_per_cycle: .inf}
"""

ENSEMBLE = """\
name: small
network: alexnet
members:
  - {weights: 32, activations: 32}
  - {weights: 2, activations: 4, count: 2}
"""


@pytest.fixture(scope="session")
def chip() -> str:
    """A hardware file."""
    return CHIP


@pytest.fixture(scope="session")
def ensemble() -> str:
    """An ensemble file."""
    return ENSEMBLE


@pytest.fixture(scope="session")
def write(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str | bytes], Path]:
    """Puts something into a file, always the same one."""
    path = tmp_path_factory.mktemp("spec") / "spec.yaml"

    def to_file(content: str | bytes) -> Path:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return to_file
