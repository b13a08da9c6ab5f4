"""Files to values, with every fault of a file at once."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from hwsim.errors import SpecError
from hwsim.spec import override
from hwsim.spec.checked import checked, judged, ordered
from hwsim.spec.consistency import Consistent
from hwsim.spec.document import Location, location, parse
from hwsim.spec.ensemble import Ensemble
from hwsim.spec.files import locate, presets, read_text
from hwsim.spec.hardware import Hardware
from hwsim.spec.measurement import Measurement
from hwsim.spec.space import Space
from hwsim.spec.space_files import About, named_faults, space_from_folder

#: What a file, or a line of one, can describe, by the name of its kind.
KINDS: dict[str, type[Consistent]] = {
    "hardware": Hardware,
    "ensemble": Ensemble,
    "space": Space,
    "measurement": Measurement,
}


def load_hardware(source: str | Path, overrides: Iterable[str] = ()) -> Hardware:
    """A chip from a file, or a preset by name.

    Args:
        source: path of a YAML file, or a name out of `files.presets()`.
        overrides: changes made before the check, as in `levels.GLB.memories.GLB.size=256 KiB`.

    Raises:
        SpecError: with every fault found.
    """
    path = locate(source, presets())
    return checked(parse(read_text(path), str(path)), Hardware, overrides)


def load_ensemble(source: str | Path, overrides: Iterable[str] = ()) -> Ensemble:
    """An ensemble from a file. The path of an ONNX file is relative to it.

    Raises:
        SpecError: with every fault found.
    """
    path = locate(source, {})
    ensemble = checked(parse(read_text(path), str(path)), Ensemble, overrides)
    network = ensemble.network
    if network.name.endswith(".onnx"):
        found = path.parent / network.name
        ensemble = ensemble.model_copy(update={"network": network.model_copy(update={"name": str(found)})})
    return ensemble


def load_space(source: str | Path, overrides: Iterable[str] = (), about: About | None = None) -> Space:
    """A design space from a file. Paths of hardware, measurements and ONNX files are relative to it.

    What it names is read too: bases with every value of every knob, alone and together, and measurements.

    Args:
        source: path of a YAML file.
        overrides: changes made before the check.
        about: what else may be wrong with a subject. Networks are made by packages above this one: see
            `hwsim.search.design.grid.read_space`.

    Raises:
        SpecError: with every fault found, those inside other files after the space's own.
    """
    path = locate(source, {})
    document = parse(read_text(path), str(path))
    override.apply(overrides, document, Space)
    space, faults = judged(document, Space)
    found, elsewhere = named_faults(document.data, path.parent, about)
    for where, why in found:
        if not any(where[:end] in document.unread for end in range(len(where) + 1)):
            faults.append(document.fault(why, where))
    if space is None or faults or elsewhere:
        raise SpecError([*ordered(faults), *elsewhere])
    return space_from_folder(space, path.parent)


def load(source: str | Path) -> Hardware | Ensemble | Space:
    """Whichever of them a file holds: an ensemble has members, a space has subjects to search for, and chips.

    Raises:
        SpecError: with every fault found.
    """
    path = locate(source, presets())
    kind = kind_of(path)
    if kind is Space:
        return load_space(path)
    return load_ensemble(path) if kind is Ensemble else load_hardware(path)


def kind_of(path: Path) -> type[Hardware] | type[Ensemble] | type[Space]:
    """What a YAML file means to describe.

    Raises:
        SpecError: it cannot be read.
    """
    data = parse(read_text(path), str(path)).data
    keys = set(data) if isinstance(data, dict) else set()
    if "members" in keys:
        return Ensemble
    return Space if keys & {"subjects", "ensembles", "chips", "objectives"} else Hardware


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
