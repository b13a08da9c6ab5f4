"""Files to values, with every fault of a file at once."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from hwsim.errors import Fault, SpecError
from hwsim.spec import override
from hwsim.spec.consistency import Consistent
from hwsim.spec.document import Document, Location, location, parse, path_text
from hwsim.spec.ensemble import Ensemble
from hwsim.spec.explain import explain
from hwsim.spec.files import locate, presets, read_text
from hwsim.spec.hardware import Hardware
from hwsim.spec.measurement import Measurement
from hwsim.units import UNITS_REQUIRED

Spec = TypeVar("Spec", bound=Consistent)


def load_hardware(source: str | Path, overrides: Iterable[str] = ()) -> Hardware:
    """A chip from a file, or a preset by name.

    Args:
        source: path of a YAML file, or a name out of `files.presets()`.
        overrides: changes made before the check, as in `levels.GLB.memories.GLB.size=256 KiB`.

    Raises:
        SpecError: with every fault found.
    """
    path = locate(source, presets())
    return _checked(parse(read_text(path), str(path)), Hardware, overrides)


def load_ensemble(source: str | Path, overrides: Iterable[str] = ()) -> Ensemble:
    """An ensemble from a file. The path of an ONNX file is relative to it.

    Raises:
        SpecError: with every fault found.
    """
    path = locate(source, {})
    ensemble = _checked(parse(read_text(path), str(path)), Ensemble, overrides)
    network = ensemble.network
    if network.name.endswith(".onnx"):
        found = path.parent / network.name
        ensemble = ensemble.model_copy(update={"network": network.model_copy(update={"name": str(found)})})
    return ensemble


def load(source: str | Path) -> Hardware | Ensemble:
    """Whichever of the two a file holds: an ensemble has members.

    Raises:
        SpecError: with every fault found.
    """
    path = locate(source, presets())
    document = parse(read_text(path), str(path))
    model = Ensemble if isinstance(document.data, dict) and "members" in document.data else Hardware
    return load_ensemble(path) if model is Ensemble else load_hardware(path)


def placed(error: SpecError, source: str | Path, otherwise: Location | None = None) -> SpecError:
    """What turned out to be wrong with a file's content only when it was used, at its place in the file.

    Args:
        error: faults that name no file get one.
        source: the file.
        otherwise: the field to blame where a fault names none; such a fault stays as it is without one.
    """
    try:
        document = parse(read_text(Path(source)), str(source))
    except SpecError:  # a pipe, which can be read only once
        return error
    faults = []
    for fault in error.faults:
        where = location(fault.field) if fault.field else otherwise
        faults.append(fault if fault.file or where is None else document.fault(fault.message, where))
    return SpecError(faults)


#: What a file, or a line of one, can describe, by the name of its kind.
KINDS: dict[str, type[Hardware] | type[Ensemble] | type[Measurement]] = {
    "hardware": Hardware,
    "ensemble": Ensemble,
    "measurement": Measurement,
}


def _checked(document: Document, model: type[Spec], overrides: Iterable[str]) -> Spec:
    override.apply(overrides, document, model)
    value, faults = None, list(document.faults)
    try:
        # As JSON, because pydantic's strict JSON takes lists for tuples and text for enums, but no 2.0 for 2.
        value = model.model_validate_json(json.dumps(document.data), strict=True, context=UNITS_REQUIRED)
    except ValidationError as error:
        unread = {path_text(where) for where in document.unread}
        faults += (fault for fault in explain(error, document, model) if fault.field not in unread)
        # They ran too if every field was right; told again, the faults are equal.
        faults += (document.fault(why, where) for where, why in model.inconsistencies(document.data))
    if value is None or faults:
        raise SpecError(_ordered(faults))
    return value


def _ordered(faults: Sequence[Fault]) -> list[Fault]:
    """Each fault once, in the order of the file, those of the command line first."""
    return sorted(dict.fromkeys(faults), key=lambda fault: (fault.line or 0, fault.column or 0))
