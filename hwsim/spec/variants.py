"""Chips out of a space: a base, changed by one value of every knob."""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import JsonValue, ValidationError

from hwsim.errors import Fault, SpecError
from hwsim.spec.checked import judged, ordered
from hwsim.spec.document import Document, Location, location, parse
from hwsim.spec.files import locate, presets, read_text
from hwsim.spec.hardware import Hardware
from hwsim.spec.override import Astray, parts_of, put
from hwsim.spec.schema import keys_of
from hwsim.spec.space import Chips, Knob
from hwsim.spec.space_rules import text_of
from hwsim.spec.steps import expand
from hwsim.units import UNITS_REQUIRED

#: What is wrong with a chip: the place in the space to blame, and why.
Problem = tuple[Location, str]


@dataclass(frozen=True)
class Setting:
    """One field that a value of a knob sets.

    Args:
        path: of the field, and its parts.
        value: as a hardware file would have it.
        at: where the space writes the path; where: and the value.
    """

    path: str
    parts: tuple[str, ...]
    value: JsonValue
    at: Location
    where: Location


@dataclass(frozen=True)
class Option:
    """One value of a knob.

    Args:
        text: its name in results.
        settings: what it sets.
        where: its place in the space.
    """

    text: str
    settings: tuple[Setting, ...]
    where: Location


@dataclass(frozen=True)
class Dial:
    """A knob with all its values."""

    name: str
    options: tuple[Option, ...]


@dataclass(frozen=True)
class Base:
    """A chip that the knobs change.

    Args:
        name: in results.
        file: its name for messages.
        text: what the file holds, as JSON.
    """

    name: str
    file: str
    text: str


def dials(chips: Chips) -> tuple[Dial, ...]:
    """The knobs, in their order, ranges expanded."""
    return tuple(dial(knob, ("chips", "knobs", i)) for i, knob in enumerate(chips.knobs))


def named(base: Any) -> tuple[tuple[Location, str], ...]:
    """The bases with their places; nothing of what is malformed."""
    if isinstance(base, str):
        return ((("chips", "base"), base),)
    several = base if isinstance(base, list | tuple) else ()
    return tuple((("chips", "base", i), name) for i, name in enumerate(several) if isinstance(name, str))


def dial(knob: Knob, where: Location) -> Dial:
    """A knob that stands at a place in the space."""
    if knob.choices is not None:
        return Dial(
            knob.name or "",
            tuple(
                Option(
                    name,
                    tuple(
                        _setting(path, value, (*where, "choices", name, path), (*where, "choices", name, path))
                        for path, value in fields.items()
                    ),
                    (*where, "choices", name),
                )
                for name, fields in knob.choices.items()
            ),
        )
    path, steps = knob.path or "", knob.range
    values: tuple[JsonValue, ...] = knob.values or ()
    if steps is not None:
        values = expand(steps.first, steps.last, steps.step, steps.factor)
    options = []
    for i, value in enumerate(values):
        place: Location = (*where, "values", i) if steps is None else (*where, "range")
        options.append(Option(text_of(value), (_setting(path, value, (*where, "path"), place),), place))
    return Dial(knob.name or path, tuple(options))


def _setting(path: str, value: JsonValue, at: Location, where: Location) -> Setting:
    return Setting(path, tuple(parts_of(path)), value, at, where)


def read_base(name: str, folder: Path = Path()) -> Base:
    """A preset, or the chip of a file.

    Raises:
        SpecError: with every fault found; one that names no line is not about the file's content.
    """
    path = locate(name if name in presets() else folder / name, presets())
    document = parse(read_text(path), str(path))
    hardware, faults = judged(document, Hardware)
    if hardware is None or faults:
        raise SpecError(ordered(faults))
    return Base(path.stem, str(path), json.dumps(document.data))


def changed(base: Base, options: Sequence[Option]) -> Hardware | tuple[Problem, ...]:
    """A base with some values of knobs, set in their order; or what is wrong with that."""
    data, reached, astray = settled(base, options)
    faults: list[Fault] = []
    try:
        hardware = Hardware.model_validate_json(json.dumps(data), strict=True, context=UNITS_REQUIRED)
        if not astray:
            return hardware
    except ValidationError:
        _, faults = judged(Document(base.file, data), Hardware)
    otherwise = options[-1].where if options else ("chips", "base")
    return (*astray, *((_blamed(fault, reached, otherwise), _text(fault)) for fault in faults))


def settled(base: Base, options: Sequence[Option]) -> tuple[Any, list[tuple[Location, Setting]], list[Problem]]:
    """The data of a base with some values of knobs, where in it each setting ended up, and those that lead nowhere."""
    data = json.loads(base.text)
    reached: list[tuple[Location, Setting]] = []
    astray: list[Problem] = []
    for option in options:
        for setting in option.settings:
            try:
                where = put(data, list(setting.parts), copy.deepcopy(setting.value), keys_of(Hardware))
                reached.append((where, setting))
            except Astray as why:
                astray.append((setting.at, str(why)))
    return data, reached, astray


def _blamed(fault: Fault, reached: Sequence[tuple[Location, Setting]], otherwise: Location) -> Location:
    """The place in the space of the value that a fault is about."""
    field = location(fault.field or "")
    about = [setting.where for where, setting in reached if field[: len(where)] == where]
    return about[-1] if about else otherwise


def _text(fault: Fault) -> str:
    return f"{fault.field}: {fault.message}" if fault.field else fault.message
