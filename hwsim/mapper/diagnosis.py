"""Why a layer has no mapping: the constraint, and the level that sets it."""

from __future__ import annotations

from math import prod

from hwsim.cost.capacity import Occupancy, occupancy
from hwsim.cost.problem import Problem
from hwsim.cost.traffic import Array
from hwsim.errors import Infeasible
from hwsim.mapper.mapspace import Mapspace
from hwsim.operators.nest import DIMENSIONS
from hwsim.units import format_bytes


def diagnose(spaces: list[Mapspace]) -> Infeasible:
    """The first reason found for a problem that has no mapping.

    Args:
        spaces: its mapspaces, by bypass; the last lets most operands pass by.
    """
    space = spaces[-1]
    return _unreached(space) or _too_large(space) or Infeasible("no combination of tiles fits", constraint="capacity")


def require_home(problem: Problem) -> None:
    """Refuse a layer that the outermost memories cannot hold: no tile could be taken from there.

    Raises:
        Infeasible: names the memory.
    """
    extents: dict[str, Array] = dict(zip(DIMENSIONS, problem.nest.sizes, strict=True))
    for taken in occupancy(problem, 0, extents, outermost=True):
        if taken.bits > taken.usable:
            raise _overfull(problem, 0, taken, "the layer takes")


def _overfull(problem: Problem, level: int, taken: Occupancy, what: str) -> Infeasible:
    needed, usable = format_bytes(float(taken.bits) / 8), format_bytes(taken.usable / 8)
    return Infeasible(f"{what} {needed} of {usable} in {taken.memory}", problem.levels[level].name, "capacity")


def _too_large(space: Mapspace) -> Infeasible | None:
    """A level whose smallest tile does not fit one of its memories."""
    for number in range(1, space.depth):
        extents: dict[str, Array] = dict.fromkeys(DIMENSIONS, 1)
        extents |= {dim: int(extent) for dim, extent in zip(space.dims, space.least_tile(number), strict=True)}
        for taken in occupancy(space.problem, number, extents, space.bypass[number]):
            if taken.bits > taken.usable:
                return _overfull(space.problem, number, taken, "the smallest tile takes")
    return None


def _unreached(space: Mapspace) -> Infeasible | None:
    """A dimension that the loops allowed do not cover."""
    levels = space.problem.levels
    for index, dim in enumerate(space.dims):
        if any(dim in level.loops for level in levels):
            continue
        covered = prod(axis.size for level in levels for axis in level.fanout if dim in axis.dims)
        if covered < space.sizes[index]:
            return Infeasible(
                f"no level may loop over {dim}, of which fan-outs cover {covered} of {space.sizes[index]}",
                levels[-1].name,
                "loops",
            )
    return None
