"""Every mapping of a tiny mapspace, one after the other, by nothing cleverer than nested loops.

What the mapspace is:

* **Bounds.** Going outwards through the slots of a dimension (in each level its axes, last one first, then its temporal
  loop) a bound is any integer up to what is left, ceil(size / tile so far), perfect or not; an axis takes no more than
  it has instances, over all dimensions together. The outermost level's loop does what is left.
* **Loops.** A level runs temporal loops only over its `loops`, an axis unrolls only its `dims`.
* **Tiles.** `tile` of a level bounds what it holds of a dimension, its own loops included: `full` asks for all of it, a
  number for at most so many.
* **Order.** Every permutation of a level's temporal loops. Where `stationary` names some operands only, the innermost
  loop must leave one of them in place (not index it) if any loop of the level does.
* **Bypass.** Every subset of a level's `optional` operands passes it by, but nothing that stays on the chip its home.
* **Capacity.** The tiles that an instance of a memory holds fill at most its usable bytes: weights, inputs and, in the
  outermost level, outputs at their own widths, outputs elsewhere at the accumulator's. An operand that stays on the
  chip takes its whole tensor's room in its home and none further out, outputs at the accumulator's width.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, combinations, permutations, product
from math import ceil, prod

from hwsim.mapping.mapping import LevelMapping, Loop, Mapping, SpatialLoop
from hwsim.operators.nest import DIMENSIONS, RELEVANT, LoopNest, Operand
from hwsim.spec.hardware import Axis, Hardware, Level
from tests.oracle.loops import Schedule, flatten, home, touched

#: A loop of a level: over time, or over one of its axes.
Slot = tuple[int, Axis | None]

#: Levels that operands live in which stay on the chip.
Homes = dict[Operand, int | None]


def enumerate_mappings(
    nest: LoopNest,
    hardware: Hardware,
    weight_bits: int = 8,
    activation_bits: int = 8,
    output_bits: int | None = None,
    resident: frozenset[Operand] = frozenset(),
) -> Iterator[Mapping]:
    """All mappings of a nest onto a chip whose memories hold operands of these widths.

    Args:
        resident: operands that stay on the chip; each has a home.
    """
    final = activation_bits if output_bits is None else output_bits
    bits = {Operand.WEIGHTS: weight_bits, Operand.INPUTS: activation_bits, Operand.OUTPUTS: final}
    homes = {operand: home(hardware, operand) for operand in resident}
    slots = _slots(hardware, weight_bits, activation_bits)
    lanes = next((axis for _, axis in slots if axis is not None and axis.name == "lanes"), None)
    sizes = dict(zip(DIMENSIONS, nest.sizes, strict=True))
    for bounds in product(*(_chains(dim, sizes[dim], slots, hardware) for dim in DIMENSIONS)):
        per_slot = list(zip(*bounds, strict=True))
        if any(axis is not None and prod(b) > axis.size for (_, axis), b in zip(slots, per_slot, strict=True)):
            continue
        for mapping in _arranged(hardware, slots, per_slot, homes):
            if _fits(nest, hardware, mapping, bits, lanes, homes):
                yield mapping


def _slots(hardware: Hardware, weight_bits: int, activation_bits: int) -> list[Slot]:
    """Innermost first."""
    mode = hardware.datapath.mode(weight_bits, activation_bits)
    slots: list[Slot] = []
    if mode.lanes > 1:
        slots.append((len(hardware.levels) - 1, Axis(name="lanes", size=mode.lanes, dims=mode.lane_dims)))
    for i, level in reversed(list(enumerate(hardware.levels))):
        slots += [(i, axis) for axis in reversed(level.fanout)]
        slots.append((i, None))
    return slots


def _chains(dim: str, size: int, slots: list[Slot], hardware: Hardware) -> list[tuple[int, ...]]:
    """Every bound of one dimension for every slot, innermost first."""
    chains: list[tuple[int, ...]] = [()]
    for i, axis in slots:
        level = hardware.levels[i]
        longer: list[tuple[int, ...]] = []
        for bounds in chains:
            left = ceil(size / prod(bounds))
            if axis is not None:
                choices = range(1, min(left, axis.size) + 1) if dim in axis.dims else range(1, 2)
            elif dim not in level.loops:
                choices = range(1, 2)
            else:
                choices = range(left if i == 0 else 1, left + 1)
            longer += [(*bounds, bound) for bound in choices]
        chains = [bounds for bounds in longer if axis is not None or _allowed(level, dim, size, prod(bounds))]
    return [bounds for bounds in chains if prod(bounds) >= size]


def _allowed(level: Level, dim: str, size: int, tile: int) -> bool:
    wanted = dict(level.tile).get(dim)
    return wanted is None or (tile >= size if wanted == "full" else min(tile, size) <= wanted)


def _arranged(hardware: Hardware, slots: list[Slot], bounds: list[tuple[int, ...]], homes: Homes) -> Iterator[Mapping]:
    """Every order of the loops and every bypass."""
    choices = []
    for i, level in enumerate(hardware.levels):
        temporal: list[Loop] = []
        spatial: list[SpatialLoop] = []
        for (at, axis), per_dim in zip(slots, bounds, strict=True):
            loops = [(dim, bound) for dim, bound in zip(DIMENSIONS, per_dim, strict=True) if bound > 1 and at == i]
            if axis is None:
                temporal += [Loop(*loop) for loop in loops]
            else:
                spatial = [SpatialLoop(*loop, axis.name) for loop in loops] + spatial
        orders = [order for order in permutations(temporal) if _ordered(level, order)]
        optional = [operand for operand in Operand if operand in level.optional and homes.get(operand) != i]
        bypasses = chain.from_iterable(combinations(optional, count) for count in range(len(optional) + 1))
        choices.append(
            [LevelMapping(level.name, order, tuple(spatial), bypass) for order, bypass in product(orders, bypasses)]
        )
    return (Mapping(levels) for levels in product(*choices))


def _ordered(level: Level, order: tuple[Loop, ...]) -> bool:
    if set(level.stationary) == set(Operand) or not order:
        return True

    def holds(loop: Loop) -> bool:
        return any(loop.dim not in RELEVANT[operand] for operand in level.stationary)

    return holds(order[-1]) or not any(holds(loop) for loop in order)


def _fits(
    nest: LoopNest,
    hardware: Hardware,
    mapping: Mapping,
    bits: dict[Operand, int],
    lanes: Axis | None,
    homes: Homes,
) -> bool:
    if all(memory.size is None for level in hardware.levels for memory in level.memories):
        return True
    schedule = Schedule(nest, flatten(hardware, mapping, lanes), len(hardware.levels))
    accumulator = hardware.datapath.accumulator
    everything = {dim: range(size) for dim, size in schedule.sizes.items()}
    for i, (level, chosen) in enumerate(zip(hardware.levels, mapping.levels, strict=True)):
        block = {dim: range(min(size, schedule.extent[i][dim])) for dim, size in schedule.sizes.items()}
        for memory in level.memories:
            held = 0.0
            for operand in set(memory.keeps) - set(chosen.bypass):
                top = homes.get(operand) or 0
                if i < top:
                    continue
                tile, whole = (len(touched(nest, operand, part)) for part in (block, everything))
                if operand is not Operand.OUTPUTS:
                    held += (whole if i == top > 0 else tile) * bits[operand] / 8
                elif i > top:
                    held += tile * accumulator / 8
                elif i == 0:
                    held += tile * bits[operand] / 8
                else:
                    held += whole * accumulator / 8
            if held > memory.usable_bytes:
                return False
    return True
