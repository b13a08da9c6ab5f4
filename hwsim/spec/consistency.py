"""What must hold between the fields of a description, and the rules of hardware.

The rules read plain nested data, as it stands in a file, and pass over whatever is missing or malformed, so that they
can be checked beside the fields' own faults instead of after them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Self

from pydantic import ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from hwsim.errors import shown
from hwsim.operators.nest import Operand
from hwsim.spec.document import Location
from hwsim.value import Value

Finding = tuple[Location, str]


class Consistent(Value):
    """A value with rules between its fields; every rule that is broken is reported, each at its own location."""

    @classmethod
    def inconsistencies(cls, data: Any) -> Iterator[Finding]:
        """What is wrong between the fields of plain nested data, which may be malformed, each with its location."""
        yield from ()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        details = [
            InitErrorDetails(type=PydanticCustomError("inconsistent", "{why}", {"why": why}), loc=where, input=None)
            for where, why in self.inconsistencies(self.model_dump(mode="json"))
        ]
        if details:
            raise ValidationError.from_exception_data(type(self).__name__, details)
        return self


def hardware_inconsistencies(hardware: Any) -> Iterator[Finding]:
    """Faults between the fields of a hardware description, each with its location."""
    levels = list(records(hardware, "levels"))
    yield from _repeated(((("levels", i), level) for i, level in levels), "level")
    # Results name a memory without its level.
    everywhere = [
        (("levels", i, "memories", j), memory) for i, level in levels for j, memory in records(level, "memories")
    ]
    yield from _repeated(everywhere, "memory")
    for i, level in levels:
        where: Location = ("levels", i)
        memories, axes = list(records(level, "memories")), list(records(level, "fanout"))
        yield from _repeated((((*where, "fanout", j), axis) for j, axis in axes), "axis")
        yield from _kept_twice(memories, (*where, "memories"))
        for j, memory in memories:
            yield from _memory(memory, (*where, "memories", j), outermost=i == 0)
        for j, axis in axes:
            if axis.get("name") == "lanes":
                yield (*where, "fanout", j, "name"), "'lanes' is the name of the datapath's own axis: choose another"
            yield from _twice(axis, "dims", (*where, "fanout", j))
        for key in ("loops", "stationary"):
            yield from _twice(level, key, where)
    if levels and levels[0][0] == 0:
        yield from _outermost(levels[0][1])


def _outermost(level: dict[str, Any]) -> Iterator[Finding]:
    memories = level.get("memories", [])
    if not isinstance(memories, list) or not all(_readable(memory) for memory in memories):
        return
    kept = {operand for memory in memories for operand in memory["keeps"]}
    missing = [operand for operand in Operand if operand not in kept]
    if missing:
        yield ("levels", 0, "memories"), f"the outermost level must keep every operand, but not {' or '.join(missing)}"


def _readable(memory: Any) -> bool:
    return (
        isinstance(memory, dict)
        and isinstance(memory.get("keeps"), list)
        and all(operand in list(Operand) for operand in memory["keeps"])
    )


def _kept_twice(memories: list[tuple[int, dict[str, Any]]], where: Location) -> Iterator[Finding]:
    keeper: dict[str, Any] = {}
    for j, memory in memories:
        for k, operand in _texts(memory, "keeps"):
            if operand not in keeper:
                keeper[operand] = memory
            elif keeper[operand] is memory:
                yield (*where, j, "keeps", k), f"{shown(operand)} stands here twice"
            else:
                name = keeper[operand].get("name")
                other = shown(name) if isinstance(name, str) else "another memory"
                yield (*where, j, "keeps", k), f"{shown(operand)} are already kept by {other} of the same level"


def _memory(memory: dict[str, Any], where: Location, outermost: bool) -> Iterator[Finding]:
    kept = [operand for _, operand in _texts(memory, "keeps")]
    for k, operand in _texts(memory, "optional"):
        if operand not in kept:
            yield (*where, "optional", k), f"{shown(operand)} cannot be optional: this memory does not keep them"
        elif outermost:
            yield (
                (*where, "optional", k),
                f"{shown(operand)} cannot be optional: the outermost level keeps every operand",
            )
    for key in ("read_bandwidth", "write_bandwidth"):
        if memory.get("bandwidth") is not None and memory.get(key) is not None:
            yield (*where, key), "give either bandwidth, shared by reads and writes, or the two apart, not both"


def _repeated(named: Iterable[tuple[Location, dict[str, Any]]], kind: str) -> Iterator[Finding]:
    seen: set[str] = set()
    for where, record in named:
        name = record.get("name")
        if isinstance(name, str) and name in seen:
            yield (*where, "name"), f"another {kind} is named {shown(name)} already"
        elif isinstance(name, str):
            seen.add(name)


def _twice(record: dict[str, Any], key: str, where: Location) -> Iterator[Finding]:
    seen: set[str] = set()
    for i, text in _texts(record, key):
        if text in seen:
            yield (*where, key, i), f"{shown(text)} stands here twice"
        seen.add(text)


def records(data: Any, key: str) -> Iterator[tuple[int, dict[str, Any]]]:
    return _items(data, key, lambda item: isinstance(item, dict))


def _texts(data: Any, key: str) -> Iterator[tuple[int, str]]:
    return _items(data, key, lambda item: isinstance(item, str))


def _items(data: Any, key: str, fits: Callable[[Any], bool]) -> Iterator[tuple[int, Any]]:
    items = data.get(key) if isinstance(data, dict) else None
    if isinstance(items, list | tuple):
        yield from ((i, item) for i, item in enumerate(items) if fits(item))
