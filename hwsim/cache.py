"""Mapped layers on disk, so that nothing is searched twice.

One file a layer, named by a fingerprint of all that its cost depends on: nest, chip, widths, objective, effort, and the
code itself (its version, and the state of its files, because in an editable installation these change while the version
does not). A file holds a checksum and JSON; one that is damaged counts as missing and is written anew. A folder that
cannot be written costs nothing but time.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping as Dictionary
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

from hwsim import __version__
from hwsim.cost.access import Access
from hwsim.cost.layer import Certificate, LayerCost
from hwsim.ensemble.solve import Mapper
from hwsim.mapper import EFFORT, Objective
from hwsim.mapping.mapping import LevelMapping, Loop, Mapping, SpatialLoop
from hwsim.operators.nest import LoopNest, Operand
from hwsim.spec.hardware import Hardware

#: Folders of the package whose code decides what a mapped layer costs.
_CODE = ("cost", "datapaths", "mapper", "mapping", "operators", "spec")


def default_folder() -> Path | None:
    """`$XDG_CACHE_HOME/hwsim`, or `~/.cache/hwsim`; a relative XDG_CACHE_HOME is ignored, as its specification says.

    None where there is no home.
    """
    given = Path(os.environ.get("XDG_CACHE_HOME", ""))
    try:
        return (given if given.is_absolute() else Path.home() / ".cache") / "hwsim"
    except RuntimeError:
        return None


def remembered(mapper: Mapper, folder: Path | None = None) -> Mapper:
    """A mapper that first looks for its answer in a folder, and leaves it there.

    Args:
        folder: `default_folder()` if not given.
    """
    place = default_folder() if folder is None else folder
    if place is None:
        return mapper

    def lookup(
        nest: LoopNest,
        hardware: Hardware,
        weight_bits: int,
        activation_bits: int,
        output_bits: int | None = None,
        *,
        objective: Objective = "latency",
        effort: float = EFFORT,
        resident_weights: bool = False,
    ) -> LayerCost:
        asked = (nest, hardware.fingerprint(), weight_bits, activation_bits, output_bits)
        digest = hashlib.sha256(repr((*asked, objective, effort, resident_weights, _code())).encode()).hexdigest()
        path = place / digest[:2] / f"{digest[2:]}.json"
        cost = read(path)
        if cost is None:
            cost = mapper(
                nest,
                hardware,
                weight_bits,
                activation_bits,
                output_bits,
                objective=objective,
                effort=effort,
                resident_weights=resident_weights,
            )
            write(path, cost)
        return cost

    return lookup


def read(path: Path) -> LayerCost | None:
    """The cost that a file holds; None where it is missing or damaged."""
    try:
        checksum, _, content = path.read_bytes().partition(b"\n")
        if hashlib.sha256(content).hexdigest().encode() != checksum:
            return None
        return _cost(json.loads(content))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write(path: Path, cost: LayerCost) -> None:
    """Keep a cost. The file appears whole or not at all, whatever happens meanwhile."""
    content = json.dumps(asdict(cost), default=lambda number: number.item()).encode()
    checksum = hashlib.sha256(content).hexdigest().encode()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            try:
                file.write(checksum + b"\n" + content)
                file.close()
                os.replace(file.name, path)
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise
    except OSError:
        return


def _cost(data: Dictionary[str, Any]) -> LayerCost:
    fields = dict(data)
    fields["traffic"] = tuple(Access(**{**access, "operand": Operand(access["operand"])}) for access in data["traffic"])
    if data["mapping"] is not None:
        fields["mapping"] = Mapping(tuple(_level(level) for level in data["mapping"]["levels"]))
    if data["certificate"] is not None:
        fields["certificate"] = Certificate(**data["certificate"])
    return LayerCost(**fields)


def _level(data: Dictionary[str, Any]) -> LevelMapping:
    return LevelMapping(
        data["level"],
        tuple(Loop(**loop) for loop in data["temporal"]),
        tuple(SpatialLoop(**loop) for loop in data["spatial"]),
        tuple(Operand(operand) for operand in data["bypass"]),
    )


@cache
def _code() -> str:
    """State of the code: version, and names, sizes and times of its files."""
    package = Path(__file__).parent
    files = sorted(path for folder in _CODE for path in (package / folder).glob("*.py"))
    states = [(str(path.relative_to(package)), path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    return repr((__version__, states))
