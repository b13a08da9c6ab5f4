"""Mapped layers on disk, so that nothing is searched twice, by whichever ensemble it is asked for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from hwsim.cache.store import default_folder, path_of, read, write
from hwsim.cost.access import Access
from hwsim.cost.layer import Certificate, LayerCost
from hwsim.ensemble.solve import Mapper
from hwsim.mapper import EFFORT, Objective
from hwsim.mapping.record import from_record, to_record
from hwsim.operators.nest import LoopNest, Operand
from hwsim.spec.hardware import Hardware


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
        resident: Iterable[Operand] = (),
    ) -> LayerCost:
        widths, stay = (weight_bits, activation_bits, output_bits), tuple(sorted(set(resident)))
        path = path_of(place, "layer", nest, hardware.fingerprint(), widths, objective, effort, stay)
        cost = restored(read(path))
        if cost is None:
            cost = mapper(
                nest,
                hardware,
                weight_bits,
                activation_bits,
                output_bits,
                objective=objective,
                effort=effort,
                resident=stay,
            )
            write(path, taken_apart(cost))
        return cost

    return lookup


def taken_apart(cost: LayerCost) -> dict[str, Any]:
    """A cost as plain data, without the problem, which whoever asks has stated."""
    data = asdict(replace(cost, problem=None, mapping=None))
    del data["problem"]
    return {**data, "mapping": to_record(cost.mapping) if cost.mapping else None}


def restored(data: Any) -> LayerCost | None:
    """The cost that was taken apart; None where the data is not one."""
    try:
        fields = dict(data)
        fields["traffic"] = tuple(Access(**{**part, "operand": Operand(part["operand"])}) for part in data["traffic"])
        if data["mapping"] is not None:
            fields["mapping"] = from_record(data["mapping"])
        if data["certificate"] is not None:
            fields["certificate"] = Certificate(**data["certificate"])
        return LayerCost(**fields)
    except (KeyError, TypeError, ValueError):
        return None
