"""The best mapping of a layer, with a proof."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import get_args

from hwsim.cost.layer import Certificate, LayerCost, price_problem
from hwsim.cost.problem import Problem, problem
from hwsim.mapper.diagnosis import diagnose, require_home
from hwsim.mapper.exact import Found
from hwsim.mapper.mapspace import mapspaces, space_size
from hwsim.mapper.objective import Objective
from hwsim.mapper.search import Search
from hwsim.operators.nest import LoopNest, Operand
from hwsim.spec.hardware import Hardware

__all__ = ["EFFORT", "Objective", "map_layer", "optimum"]

#: Partial mappings that a search looks at before it settles for a gap.
EFFORT = 5e7


def map_layer(
    nest: LoopNest,
    hardware: Hardware,
    weight_bits: int,
    activation_bits: int,
    output_bits: int | None = None,
    *,
    objective: Objective = "latency",
    effort: float = EFFORT,
    resident: Iterable[Operand] = (),
) -> LayerCost:
    """Find the mapping of a layer with the least latency, energy or energy-delay product.

    Ties in latency go to the least energy among the mappings priced.

    Args:
        output_bits: width of a finished output [bits]; as the inputs unless given.
        effort: partial mappings to look at before settling for the best found and a gap.
        resident: operands that lie on the chip before the layer begins, or outputs that stay there when it ends, in the
            outermost on-chip level that keeps them.

    Raises:
        Infeasible: no mapping fits, no mode of the datapath runs these widths, or nothing on the chip can hold what is
            resident.
        ValueError: an unknown objective.
    """
    stated = problem(nest, hardware, weight_bits, activation_bits, output_bits, resident=resident)
    if objective not in get_args(Objective):
        raise ValueError(f"objective is one of {', '.join(get_args(Objective))}, not {objective!r}")
    return optimum(stated, objective, effort, Found())


def optimum(problem: Problem, objective: Objective, effort: float, found: Found) -> LayerCost:
    """Find the best mapping of a problem.

    Args:
        found: the best mapping known, which the search improves in place.

    Raises:
        Infeasible: no mapping fits, or nothing on the chip can hold what is resident.
    """
    spaces = mapspaces(problem)
    require_home(problem)
    for space in spaces:
        Search(space, objective, found, effort).run()
    if found.mapping is None:
        raise diagnose(spaces)
    bound = min(found.value, found.open_bound)
    certificate = Certificate(
        space_size(spaces), found.priced, found.open_bound >= found.value, bound, 1 - bound / found.value
    )
    return replace(price_problem(problem, found.mapping), certificate=certificate)
