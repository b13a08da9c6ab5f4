"""What must hold between the fields of a design space, read from plain nested data, which may be malformed."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any, TypeGuard

from hwsim.errors import shown
from hwsim.spec.consistency import Finding, records
from hwsim.spec.document import Location
from hwsim.spec.ensemble import MOST, WIDTHS
from hwsim.spec.limits import MEASURED
from hwsim.spec.steps import StepsError, expand

#: Name of the knob that chooses between bases.
BASE = "base"

Numbers = list[tuple[Location, int]]

_AMOUNT = str | int | float


def space_inconsistencies(space: Any) -> Iterator[Finding]:
    """Faults between the fields of a design space, each with its location."""
    yield from _subjects(space)
    yield from _ensembles(_mapping(space, "ensembles"), _mapping(space, "engine").get("kind", "exhaustive"))
    chips = _mapping(space, "chips")
    yield from _bases(chips.get("base"))
    names: dict[str, int] = {}
    for i, knob in records(chips, "knobs"):
        where: Location = ("chips", "knobs", i)
        yield from _knob(knob, where)
        name = knob.get("name", knob.get("path"))
        at = (*where, "name" if "name" in knob else "path")
        if name == BASE:
            yield at, f"{shown(BASE)} is the name of what the knobs change: choose another"
        elif isinstance(name, str) and name in names:
            yield at, f"knobs[{names[name]}] has the name {shown(name)} already"
        elif isinstance(name, str):
            names[name] = i
    yield from _judged(space, chips)


def _subjects(space: Any) -> Iterator[Finding]:
    # Results tell subjects apart by these two.
    known: dict[str, int] = {}
    for i, subject in records(space, "subjects"):
        network = subject.get("network")
        network = {"name": network} if isinstance(network, str) else network
        kept = {key: value for key, value in network.items() if value} if isinstance(network, dict) else network
        first = known.setdefault(json.dumps([kept, subject.get("quantize", "all")], sort_keys=True), i)
        if first != i:
            yield ("subjects", i), f"has the network and the rule of subjects[{first}]: put it into another space"


def _ensembles(ensembles: dict[str, Any], engine: Any) -> Iterator[Finding]:
    where: Location = ("ensembles",)
    full = ensembles.get("full_precision_bits", 32)
    full = full if isinstance(full, int) and full in WIDTHS else max(WIDTHS)
    default = {"full_precision": 1, "low_precision": {"from": 0, "to": 4}, "weights": [2, 4], "activations": [2, 4]}
    found: dict[str, Numbers] = {}
    for key in (*default, "batch"):
        given = ensembles.get(key, default.get(key, 1))
        try:
            numbers = found[key] = _numbers(given, (*where, key))
        except ValueError as error:
            yield (*where, key), str(error)
            continue
        yield from _repeated(numbers)
    for key in ("full_precision", "low_precision"):
        yield from (
            (at, f"{number} members are more than {MOST}") for at, number in found.get(key, ()) if number > MOST
        )
    for key in ("weights", "activations"):
        for at, bits in found.get(key, ()):
            if bits not in WIDTHS:
                yield at, f"must be 1 to 8, 16 or 32 bits, not {bits}"
            elif bits > full:
                yield at, f"{bits} bits are wider than full precision, which is {full} bits"
    both = [[at for at, bits in found.get(key, ()) if bits == full] for key in ("weights", "activations")]
    if all(both):
        yield (
            both[1][0],
            f"{full} bits with {full}-bit weights are a full-precision member: full_precision counts those",
        )
    yield from ((at, "must be at least 1, not 0") for at, number in found.get("batch", ()) if number < 1)
    members = [[number for _, number in found.get(key, ())] for key in ("full_precision", "low_precision")]
    if all(members) and not any(map(any, members)):
        yield where, "no ensemble has a member: full_precision and low_precision are 0"
    combiners = ensembles.get("combiner")
    if isinstance(combiners, list | tuple):
        for i, combiner in enumerate(combiners):
            if combiner in combiners[:i]:
                yield (*where, "combiner", i), f"{shown(combiner)} stands here twice"
    if ensembles.get("weights_stay") == "planned" and engine == "exhaustive":
        why = "is chosen for every ensemble anew, while the exhaustive engine adds up members priced once"
        yield (*where, "weights_stay"), f"planned {why}: take engine: {{kind: nsga2, trials: 500}}"


def _numbers(given: Any, where: Location) -> Numbers:
    """Whole numbers with their places; none of what is malformed.

    Raises:
        ValueError: a span has no numbers, or too many.
    """
    if isinstance(given, dict):
        parts = [part for part in (given.get("from"), given.get("to"), given.get("step", 1)) if _whole(part)]
        if len(parts) < 3 or not parts[2]:
            return []
        first, last, step = parts
        if last < first:
            raise ValueError(f"{last} is less than {first}, from which it starts")
        if (last - first) // step >= MOST:
            raise ValueError(f"gives {(last - first) // step + 1} numbers, more than {MOST}")
        return [(where, number) for number in range(first, last + 1, step)]
    if isinstance(given, list | tuple):
        return [((*where, i), number) for i, number in enumerate(given) if _whole(number)]
    return [(where, given)] if _whole(given) else []


def _whole(given: Any) -> TypeGuard[int]:
    return isinstance(given, int) and not isinstance(given, bool) and 0 <= given < 2**31


def _repeated(numbers: Numbers) -> Iterator[Finding]:
    seen: set[int] = set()
    for where, number in numbers:
        if number in seen:
            yield where, f"{number} stands here twice"
        seen.add(number)


def _bases(base: Any) -> Iterator[Finding]:
    if isinstance(base, list | tuple):
        for i, name in enumerate(base):
            if name in base[:i]:
                yield ("chips", "base", i), f"{shown(name)} stands here twice"


def _knob(knob: dict[str, Any], where: Location) -> Iterator[Finding]:
    has = {key for key in ("name", "path", "values", "range", "choices") if knob.get(key) is not None}
    if "choices" in has:
        for key in sorted(has & {"path", "values", "range"}):
            yield (*where, key), "a knob has either choices or one path, not both"
        if "name" not in has:
            yield where, "has choices, and so needs a name"
        return
    if "path" not in has:
        yield where, "needs a path with values or a range, or choices"
    if has >= {"values", "range"}:
        yield (*where, "range"), "give either values or a range, not both"
    elif not has & {"values", "range"} and "path" in has:
        yield where, "needs values or a range"
    values = knob.get("values")
    texts = [text_of(value) for value in values] if isinstance(values, list | tuple) else []
    for i, text in enumerate(texts):
        if text in texts[:i]:
            yield (*where, "values", i), f"{shown(text)} stands here twice"
    steps = knob.get("range")
    if isinstance(steps, dict):
        yield from _steps(steps, (*where, "range"))


def _steps(steps: dict[str, Any], where: Location) -> Iterator[Finding]:
    amounts: dict[str, Any] = {
        key: steps.get(key) for key in ("from", "to", "step", "factor") if steps.get(key) is not None
    }
    kinds = {"factor": int | float}
    if any(isinstance(given, bool) or not isinstance(given, kinds.get(key, _AMOUNT)) for key, given in amounts.items()):
        return
    factor = amounts.pop("factor", None)
    if not amounts.keys() >= {"from", "to"} or (factor is not None and not 1 < factor < math.inf):
        return
    if ("step" in amounts) == (factor is not None):
        yield where, "has a step and a factor: give one of them" if factor else "needs a step or a factor"
        return
    try:
        expand(amounts["from"], amounts["to"], amounts.get("step"), factor)
    except StepsError as error:
        yield (*where, error.key), str(error)


def _judged(space: Any, chips: dict[str, Any]) -> Iterator[Finding]:
    """Quantities that nothing in the space can tell."""
    subjects = [subject for _, subject in records(space, "subjects")]
    measured = any(subject.get("measurements") is not None for subject in subjects)
    for section in ("objectives", "constraints"):
        for quantity in _mapping(space, section):
            if quantity == "area" and chips.get("node") is None:
                yield (section, quantity), "no area is known without chips.node, the feature size it is estimated for"
            if quantity in MEASURED and subjects and not measured:
                yield (section, quantity), "no subject has measurements, which alone tell it"


def text_of(value: Any) -> str:
    """A value as one writes it in YAML, on one line: how results name the value of a knob."""
    if isinstance(value, str):
        return value
    if isinstance(value, float) and not math.isfinite(value):
        return ".nan" if math.isnan(value) else f"{'-' if value < 0 else ''}.inf"
    return json.dumps(value, ensure_ascii=False)


def _mapping(data: Any, key: str) -> dict[str, Any]:
    """A mapping's entry that is a mapping itself; an empty one in place of anything else."""
    found = data.get(key) if isinstance(data, dict) else None
    return found if isinstance(found, dict) else {}
