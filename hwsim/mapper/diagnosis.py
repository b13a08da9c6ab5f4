"""Why a layer has no mapping: the constraint, and the level that sets it."""

from __future__ import annotations

from math import prod

from hwsim.cost.capacity import occupancy
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


def _too_large(space: Mapspace) -> Infeasible | None:
    """A level whose smallest tile does not fit one of its memories."""
    for number, level in enumerate(space.problem.levels):
        extents: dict[str, Array] = dict.fromkeys(DIMENSIONS, 1)
        least = space.sizes if number == 0 else space.least_tile(number)
        extents |= {dim: int(extent) for dim, extent in zip(space.dims, least, strict=True)}
        for taken in occupancy(space.problem, number, extents, space.bypass[number], outermost=number == 0):
            if taken.bits > taken.usable:
                needed, usable = format_bytes(float(taken.bits) / 8), format_bytes(taken.usable / 8)
                what = "the layer takes" if number == 0 else "the smallest tile takes"
                return Infeasible(f"{what} {needed} of {usable} in {taken.memory}", level.name, "capacity")
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
