"""A chip divided among members that run side by side.

One axis of a fan-out is divided: a member gets some of its instances, and with them the same share of what all of them
have in common: the size of the on-chip memories above the fan-out, the bandwidth of these and of the outermost memory,
the vector unit, the leakage. Shares are static, as in a GPU that is partitioned: what one part leaves unused helps no
other, which is why each part is a chip of its own. That the parts run different layers in different modes takes a
sequencer for each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import inf

from hwsim.errors import Infeasible
from hwsim.spec.hardware import Axis, Hardware, Memory
from hwsim.units import Bandwidth


def divisible(hardware: Hardware, parts: int) -> tuple[int, tuple[Axis, ...]]:
    """The axes that could be divided: of the outermost fan-out that has any, those with an instance for every part.

    Returns:
        The index of its level, and the axes.

    Raises:
        Infeasible: there are none.
    """
    for index, level in enumerate(hardware.levels):
        axes = tuple(axis for axis in level.fanout if axis.size >= parts)
        if axes:
            return index, axes
    raise Infeasible(f"{hardware.name} has no fan-out with an instance for each of {parts} parts", constraint="fanout")


def part(hardware: Hardware, level: int, axis: str, share: int) -> Hardware:
    """Some instances of one axis and their share of the chip, as a chip of its own.

    Args:
        level: index of the level that the axis is below.
        share: instances of the axis that the part has.
    """
    whole = next(own for own in hardware.levels[level].fanout if own.name == axis)
    if share == whole.size:
        return hardware
    fraction = share / whole.size
    levels = list(hardware.levels)
    for index in range(level + 1):
        memories = tuple(_shrunk(memory, fraction, outermost=index == 0) for memory in levels[index].memories)
        levels[index] = levels[index].model_copy(update={"memories": memories})
    fanout = tuple(own.model_copy(update={"size": share}) if own.name == axis else own for own in levels[level].fanout)
    levels[level] = levels[level].model_copy(update={"fanout": fanout})
    vector = hardware.vector
    return hardware.model_copy(
        update={
            "levels": tuple(levels),
            "vector": vector.model_copy(update={"operations_per_cycle": vector.operations_per_cycle * fraction}),
            "leakage": hardware.leakage * fraction,
        }
    )


def _shrunk(memory: Memory, fraction: float, outermost: bool) -> Memory:
    """A memory's share; the outermost one is divided in bandwidth only, since the parts need not hold it apart."""
    changes: dict[str, object] = {"leakage": memory.leakage * fraction}
    if memory.size is not None and not outermost:
        changes["size"] = memory.size * fraction
    if memory.area is not None:
        changes["area"] = memory.area * fraction
    for port in ("bandwidth", "read_bandwidth", "write_bandwidth"):
        given: Bandwidth | None = getattr(memory, port)
        if given is not None:
            changes[port] = replace(given, amount=given.amount * fraction)
    return memory.model_copy(update=changes)


def shares(times: Sequence[Callable[[int], float]], whole: int) -> tuple[int, ...]:
    """Divide instances among members so that the slowest of them is as fast as can be.

    The best of all divisions, if no member gets slower with more instances. A division can then be improved on if and
    only if the slowest member gets below its time with everything that is left once each of the others has the least
    that keeps it below that time too. This is tried until it fails.

    Args:
        times: of every member, by the instances that it has; infinite where it cannot run on so few.
        whole: instances to divide, at least one for each.

    Raises:
        Infeasible: no division was found that every member can run on.
    """
    now = _started(times, whole)
    while True:
        spent = [time(share) for time, share in zip(times, now, strict=True)]
        limit = max(spent)
        better = _improved(times, now, whole, limit)
        if better is None:
            return tuple(now)
        # What the slowest member got is probably too much: go on from a balanced division where that is better still.
        work = [time(share) * share for time, share in zip(times, better, strict=True)]
        now = min((_proportional(work, whole), better), key=lambda division: _slowest(times, division))


def _started(times: Sequence[Callable[[int], float]], whole: int) -> list[int]:
    """Equal shares, or the least on which every member can run."""
    now = _proportional([1.0] * len(times), whole)
    if _slowest(times, now) < inf:
        return now
    least = [_least(time, share, whole, inf) for time, share in zip(times, now, strict=True)]
    needed = [share for share in least if share is not None]
    if len(needed) < len(least) or sum(needed) > whole:
        raise Infeasible(f"no division of {whole} instances leaves every member enough to run on", constraint="fanout")
    needed[0] += whole - sum(needed)
    return needed


def _improved(
    times: Sequence[Callable[[int], float]], now: Sequence[int], whole: int, limit: float
) -> list[int] | None:
    """A division in which every member takes less than a limit; None where there is none."""
    slowest = max(range(len(now)), key=lambda index: times[index](now[index]))
    result = list(now)
    for index, time in enumerate(times):
        if index != slowest:
            least = _least(time, now[index], whole, limit)
            if least is None:
                return None
            result[index] = least
    result[slowest] = whole - sum(share for index, share in enumerate(result) if index != slowest)
    return result if result[slowest] >= 1 and times[slowest](result[slowest]) < limit else None


def _least(time: Callable[[int], float], start: int, whole: int, limit: float) -> int | None:
    """Fewest instances with which a member takes less than a limit, looked for around those that it has now."""
    low, high = 0, whole + 1  # too few; enough, or more than there are
    step, at = 1, start
    while low < at < high:
        if time(at) < limit:
            high, at = at, at - step
        else:
            low, at = at, at + step
        step *= 2
    while high - low > 1:
        middle = (low + high) // 2
        if time(middle) < limit:
            high = middle
        else:
            low = middle
    return high if high <= whole else None


def _proportional(weights: Sequence[float], whole: int) -> list[int]:
    """Whole numbers in proportion to weights, each at least 1: one instance at a time, to whom it helps most."""
    result = [1] * len(weights)
    for _ in range(whole - len(weights)):
        result[max(range(len(weights)), key=lambda index: weights[index] / result[index])] += 1
    return result


def _slowest(times: Sequence[Callable[[int], float]], division: Sequence[int]) -> float:
    return max(time(share) for time, share in zip(times, division, strict=True))
