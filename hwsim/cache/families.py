"""Families of layers on disk: what was mapped together is remembered together.

Which of several mappings that tie a family settles on depends on who is in it, so that the answer belongs to all of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hwsim.cache.layers import remembered, restored, taken_apart
from hwsim.cache.store import default_folder, path_of, read, write
from hwsim.cost.layer import LayerCost
from hwsim.cost.problem import Problem
from hwsim.errors import Infeasible
from hwsim.mapper import EFFORT, Objective, map_layer
from hwsim.mapper.family import map_family


class RememberedFamilies:
    """`hwsim.mapper.family.Families` that first looks for its answers in a folder, and leaves them there.

    Args:
        folder: the user's cache if not given.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = default_folder() if folder is None else folder
        self._one = remembered(map_layer, self._folder)

    def __call__(self, *args: Any, **options: Any) -> LayerCost:
        """As `map_layer`."""
        return self._one(*args, **options)

    def together(
        self, problems: Sequence[Problem], *, objective: Objective = "latency", effort: float = EFFORT
    ) -> list[LayerCost | Infeasible]:
        """As `map_family`."""
        if self._folder is None:
            return map_family(problems, objective=objective, effort=effort)
        asked = [(x.nest, x.hardware.fingerprint(), x.precision, tuple(sorted(x.resident))) for x in problems]
        path = path_of(self._folder, "family", asked, objective, effort)
        known = _restored(read(path), problems)
        if known is None:
            known = map_family(problems, objective=objective, effort=effort)
            write(path, [_taken_apart(answer) for answer in known])
        return known


def _taken_apart(answer: LayerCost | Infeasible) -> dict[str, Any]:
    if isinstance(answer, LayerCost):
        return taken_apart(answer)
    return {"refused": [answer.message, answer.level, answer.constraint]}


def _restored(data: Any, problems: Sequence[Problem]) -> list[LayerCost | Infeasible] | None:
    """The answers that were taken apart; None where the data is not theirs."""
    if not isinstance(data, list) or len(data) != len(problems):
        return None
    answers: list[LayerCost | Infeasible] = []
    for one, problem in zip(data, problems, strict=True):
        if isinstance(one, dict) and "refused" in one:
            answers.append(Infeasible(*one["refused"]))
        elif (cost := restored(one)) is not None:
            answers.append(replace(cost, problem=problem))
        else:
            return None
    return answers
