"""What a design space names: chips, measurements and models in other files."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from hwsim.errors import Fault, SpecError
from hwsim.spec.chip_faults import chip_faults
from hwsim.spec.consistency import Finding, records
from hwsim.spec.document import Location
from hwsim.spec.files import presets
from hwsim.spec.measurement import read_measurements
from hwsim.spec.space import Knob, Space, Subject
from hwsim.spec.space_rules import space_inconsistencies
from hwsim.spec.variants import dial, named
from hwsim.units import UNITS_REQUIRED
from hwsim.value import Value

#: What is wrong with a subject, by its place inside it.
About = Callable[[Subject], Iterable[Finding]]

#: Parts of a knob that may be wrong without leaving its values in doubt.
_HARMLESS = (("name",), ("values",))

Part = TypeVar("Part", bound=Value)


def named_faults(data: Any, folder: Path, about: About | None = None) -> tuple[list[Finding], list[Fault]]:
    """What is wrong with what the data of a space names, by its place in the space, and inside the files themselves.

    Parts of the space that are malformed are passed over.

    Args:
        folder: of the space's file.
        about: what else may be wrong with a subject.
    """
    chips = data.get("chips") if isinstance(data, dict) else None
    wrong = [where for where, _ in space_inconsistencies(data)]
    bases = [(where, name) for where, name in named(chips.get("base") if isinstance(chips, dict) else None) if name]
    knobs = [
        dial(knob, ("chips", "knobs", i))
        for i, given in records(chips, "knobs")
        if not any(where[:3] == ("chips", "knobs", i) and where[3:4] not in _HARMLESS for where in wrong)
        and (knob := _part(Knob, given))
    ]
    found, elsewhere = chip_faults([base for base in bases if base[0] not in wrong], knobs, folder)
    inside = cache(_inside)
    for i, given in records(data, "subjects"):
        subject = _part(Subject, given)
        if subject is None:
            continue
        where: Location = ("subjects", i)
        subject = from_folder(subject, folder)
        for fault in inside(subject.measurements):
            if fault.line is None:
                found.append(((*where, "measurements"), f"{fault.file}: {fault.message}"))
            else:
                elsewhere.append(fault)
        if about is not None:
            found += (((*where, *place), why) for place, why in about(subject))
    return found, list(dict.fromkeys(elsewhere))


def _part(model: type[Part], data: Any) -> Part | None:
    """A part of a space, if it is in order."""
    try:
        return model.model_validate_json(json.dumps(data), strict=True, context=UNITS_REQUIRED)
    except ValidationError:
        return None


def _inside(measurements: str | None) -> tuple[Fault, ...]:
    if measurements is None:
        return ()
    try:
        read_measurements(measurements)
    except SpecError as error:
        return error.faults
    return ()


def from_folder(subject: Subject, folder: Path) -> Subject:
    """A subject whose files were relative to a folder."""
    changes: dict[str, Any] = {}
    if subject.measurements is not None:
        changes["measurements"] = str(folder / subject.measurements)
    if subject.network.name.endswith(".onnx"):
        changes["network"] = subject.network.model_copy(update={"name": str(folder / subject.network.name)})
    return subject.model_copy(update=changes) if changes else subject


def space_from_folder(space: Space, folder: Path) -> Space:
    """A space whose files were relative to a folder."""
    bases = tuple(name if name in presets() else str(folder / name) for name in space.chips.bases)
    chips = space.chips.model_copy(update={"base": bases[0] if isinstance(space.chips.base, str) else bases})
    subjects = tuple(from_folder(subject, folder) for subject in space.subjects)
    return space.model_copy(update={"chips": chips, "subjects": subjects})
