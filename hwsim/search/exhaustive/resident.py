"""Layers whose weights, and those of a whole ensemble beside them, stay on the chip between inferences.

How much room a layer's tiles have then depends on the size of the whole ensemble. Few layers have to be mapped all the
same: a mapping that is the best with the most room is the best with less as long as it still fits, for less room only
takes mappings away. So every layer is mapped beside the smallest ensemble that it is a part of, then beside the
smallest that this mapping does not fit beside, and so on; where none fits, none does beside anything larger.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from hwsim.cost.capacity import occupancy
from hwsim.cost.layer import LayerCost, loops_of
from hwsim.cost.traffic import NestArrays
from hwsim.ensemble.precision import Precisions
from hwsim.ensemble.residency import all_beside
from hwsim.ensemble.solve import Task, task
from hwsim.ensemble.stay import Stay, house, left
from hwsim.ensemble.storage import layer_bits
from hwsim.errors import Infeasible
from hwsim.operators.nest import DIMENSIONS, Operand
from hwsim.search.exhaustive.solve import Answer
from hwsim.spec.hardware import Hardware, Memory
from hwsim.spec.network import Layer

#: Maps every distinct task.
Solver = Callable[[Iterable[Task]], dict[Task, Answer]]


@dataclass(frozen=True)
class Part:
    """A layer at some widths, as one or more members have it.

    Args:
        bits: of one of these members.
        sizes: stored bits of the ensembles that it is a part of, ascending [bits].
    """

    layer: Layer
    bits: Precisions
    sizes: tuple[int, ...]

    def upto(self, most: int) -> Part:
        """The same as a part of no larger ensembles than this [bits]."""
        return replace(self, sizes=self.sizes[: bisect_right(self.sizes, most)])

    def alone(self, hardware: Hardware) -> Task:
        """Its task where nothing stays on the chip."""
        return task(self.layer, hardware, self.bits)

    def stay(self, hardware: Hardware, size: int) -> Stay:
        """What stays of it, and what beside it, where the weights of an ensemble of this size [bits] do."""
        return all_beside(self.layer, self.bits, hardware, size)

    def beside(self, hardware: Hardware, size: int) -> Task:
        """Its task then."""
        return task(self.layer, hardware, self.bits, self.stay(hardware, size))


@dataclass(frozen=True)
class Stretch:
    """Ensembles beside which a layer has the same best mapping.

    Args:
        sizes: of the ensembles [bits], ascending.
        answer: the layer mapped beside the smallest of them, or why it cannot be beside any.
    """

    sizes: tuple[int, ...]
    answer: Answer


def stretches(
    wanted: Mapping[tuple[int, int], tuple[Part, Hardware]], solver: Solver
) -> dict[tuple[int, int], list[Stretch]]:
    """The best mappings of layers beside everything that they are a part of and that fits.

    Args:
        wanted: layers that multiply, each with its chip, which can hold ensembles of all the sizes; by any name.
        solver: asked for all layers at once, then for those that need another mapping, and so on.
    """
    found: dict[tuple[int, int], list[Stretch]] = {name: [] for name in wanted}
    waiting = {name: part.sizes for name, (part, _) in wanted.items() if part.sizes}
    while waiting:
        asked = {name: wanted[name][0].beside(wanted[name][1], sizes[0]) for name, sizes in waiting.items()}
        answers = solver(asked.values())
        for name, own in asked.items():
            part, hardware = wanted[name]
            sizes, answer = waiting.pop(name), answers[own]
            fitting = len(sizes) if isinstance(answer, Infeasible) else _fitting(part, hardware, sizes, answer)
            found[name].append(Stretch(sizes[:fitting], answer))
            if fitting < len(sizes):
                waiting[name] = sizes[fitting:]
    return found


def _fitting(part: Part, hardware: Hardware, sizes: Sequence[int], cost: LayerCost) -> int:
    """Beside how many of the ensembles, ascending in size, a mapping fits that fits beside the first."""
    assert cost.problem is not None
    assert cost.mapping is not None
    level, memory = weights_home(hardware)
    loops = loops_of(cost.problem, cost.mapping)
    tile = NestArrays.of(loops, dict(zip(DIMENSIONS, cost.problem.nest.sizes, strict=True))).tile(level)
    taken = occupancy(cost.problem, level, tile, cost.mapping.levels[level].bypass)
    needed = max((float(one.bits) for one in taken if one.memory == memory.name), default=0.0)
    return held(part, memory, sizes, needed * (2 if memory.buffering == "double" else 1))


def held(part: Part, memory: Memory, sizes: Sequence[int], needed: float) -> int:
    """Beside how many of the ensembles, ascending in size, a memory has so much room for the tiles of a layer.

    Args:
        memory: where the weights stay; beside the first ensemble there is room.
        needed: size of the memory that would just do [bits].
    """
    own = layer_bits(part.layer, part.bits)
    return max(1, bisect_right(sizes, False, key=lambda size: 8 * left(memory, size - own) < needed))


def weights_home(hardware: Hardware) -> tuple[int, Memory]:
    """The memory that weights stay in, and the index of its level."""
    place = house(hardware, Operand.WEIGHTS)
    assert place is not None, "weights that stay have a home"
    level, name = place
    return level, next(memory for memory in hardware.levels[level].memories if memory.name == name)
