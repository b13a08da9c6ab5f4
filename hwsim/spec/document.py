"""YAML text as plain data that remembers where in the file each key and value stands.

The text is only composed into nodes, never constructed, so no tag can build an object. What YAML tolerates and a
description must not (equal keys, tags, merge keys, runaway aliases) is collected as faults.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from hwsim.errors import Fault, SpecError, shown

if TYPE_CHECKING:
    from ruamel.yaml.error import MarkedYAMLError

#: A place in nested data: keys of mappings and indices of lists, from the outside in.
Location = tuple[str | int, ...]

DEPTH = 32
NODES = 100_000
_STANDARD = "tag:yaml.org,2002:"


class Place(NamedTuple):
    """Position in a file, both from 1."""

    line: int
    column: int


@dataclass(frozen=True)
class Document:
    """Content of a YAML file.

    Args:
        file: name for messages.
        data: mappings, lists, text, numbers, truth values and None.
        keys: where the key of each entry of a mapping stands.
        values: where each value stands.
        unread: values that are None here because what stands there is no value; a fault says why.
        faults: what was wrong, though not so wrong that nothing could be read.
        origins: what put a value where the file had another or none.
    """

    file: str
    data: Any = None
    keys: dict[Location, Place] = field(default_factory=dict)
    values: dict[Location, Place] = field(default_factory=dict)
    unread: set[Location] = field(default_factory=set)
    faults: list[Fault] = field(default_factory=list)
    origins: dict[Location, str] = field(default_factory=dict)

    def fault(self, message: str, where: Location, at_key: bool = False) -> Fault:
        """A fault at a location, placed at the closest enclosing thing that stands in the file.

        Args:
            at_key: the key is wrong rather than its value.
        """
        path = path_text(where) or None
        for end in range(len(where), -1, -1):
            within = where[:end]
            if within in self.origins:
                return Fault(message, self.origins[within], field=path)
            place = self.keys.get(within) if at_key or end < len(where) else None
            place = place or self.values.get(within)
            if place:
                return Fault(message, self.file, *place, path)
        return Fault(message, self.file, field=path)


def path_text(where: Location) -> str:
    """A location as people write it: `levels[0].memories[1].size`."""
    text = ""
    for part in where:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            name = part if re.fullmatch(r"[\w<>+-]{1,64}", part) else shown(part)
            text += f".{name}" if text else name
    return text


def location(path: str) -> Location:
    """The location that `path_text` writes as this."""
    parts = re.findall(r"\[(\d+)\]|([^.\[\]]+)", path)
    return tuple(int(index) if index else name for index, name in parts)


def parse(text: str, file: str) -> Document:
    """Read YAML.

    Raises:
        SpecError: the text is not YAML, so that nothing can be read.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError
    from ruamel.yaml.reader import ReaderError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an anchor used twice, a directive that is not known
            root = YAML(typ="safe", pure=True).compose(text)
    except ReaderError as error:
        before = text[: error.position]
        place = Place(before.count("\n") + 1, error.position - before.rfind("\n"))
        message = f"the character {chr(error.character)!a} may not stand in YAML"
        raise SpecError([Fault(message, file, *place)]) from None
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = _place(mark) if mark else (None, None)
        raise SpecError([Fault(_syntax(error), file, *where)]) from None
    except RecursionError:
        raise SpecError([Fault("is nested too deeply", file)]) from None
    except (YAMLError, ValueError, LookupError, AssertionError) as error:  # the parser's own slips on garbage
        raise SpecError([Fault(f"is not YAML: {shown(error, 80)}", file)]) from None
    if root is None:
        raise SpecError([Fault("is empty", file)])
    document = Document(file)
    return replace(document, data=_Reader(document).read(root, ()))


def _syntax(error: MarkedYAMLError) -> str:
    """What the parser says, on one line."""
    problem, context = (" ".join((text or "").split()) for text in (error.problem, error.context))
    if "\\t" in problem:
        problem += "; indent with spaces"
    if context and error.context_mark is not None:
        context += f" that starts on line {error.context_mark.line + 1}"
    return ", ".join(filter(None, (context, problem))) or "is not YAML"


def _place(mark: Any) -> Place:
    return Place(mark.line + 1, mark.column + 1)


class _Reader:
    """Turns nodes into plain data, noting places and faults in a document."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.nodes = 0

    def read(self, node: Any, where: Location) -> Any:
        self.document.values[where] = _place(node.start_mark)
        self.nodes += 1
        if len(where) > DEPTH or self.nodes > NODES:
            what = "is nested too deeply" if len(where) > DEPTH else "holds too many values"
            raise SpecError([*self.document.faults, Fault(what, self.document.file, *self.document.values[where])])
        kind = {"MappingNode": "map", "SequenceNode": "seq"}.get(type(node).__name__, "scalar")
        tag = str(node.tag).removeprefix(_STANDARD)
        if kind == "map" and tag == "map":
            return dict(self._entries(node, where))
        if kind == "seq" and tag == "seq":
            return [self.read(item, (*where, i)) for i, item in enumerate(node.value)]
        if kind == "scalar":
            try:
                return _scalar(tag, node.value)
            except ValueError as error:
                return self._complain(str(error), where)
        return self._complain(f"tags are not read: remove {shown('!' + tag.removeprefix('!'))}", where)

    def _entries(self, node: Any, where: Location) -> Iterator[tuple[str, Any]]:
        seen: dict[str, int] = {}
        for key, value in node.value:
            at = _place(key.start_mark)
            if type(key).__name__ != "ScalarNode":
                self._report("a key must be a word", where, at)
                continue
            name = key.value
            if str(key.tag).endswith(":merge"):
                self._report("merge keys are not read: write the entries out", (*where, name), at)
            elif name in seen:
                self._report(f"key {shown(name)} is here twice; the first is on line {seen[name]}", (*where, name), at)
            elif not _encodable(name):
                self._report("holds half a character", where, at)
            else:
                seen[name] = at.line
                self.document.keys[*where, name] = at
                yield name, self.read(value, (*where, name))

    def _complain(self, message: str, where: Location) -> None:
        self.document.unread.add(where)
        self._report(message, where, self.document.values[where])

    def _report(self, message: str, where: Location, place: Place) -> None:
        self.document.faults.append(Fault(message, self.document.file, *place, path_text(where) or None))


def _scalar(tag: str, text: str) -> Any:
    """The value of a scalar whose tag, implicit or not, is resolved.

    Raises:
        ValueError: the text is not of that kind.
    """
    if tag == "null":
        return None
    if tag == "bool":
        return {"true": True, "false": False}.get(text.lower(), text)
    try:
        if tag == "int":
            digits = text.replace("_", "").lower()
            return int(digits, 0 if re.match(r"[+-]?0[xob]", digits) else 10)
        if tag == "float":
            return float(re.sub(r"\.(inf|nan)$", r"\1", text.replace("_", "").lower()))
    except ValueError:
        raise ValueError(f"{shown(text)} is not a number that can be read") from None
    if tag not in ("str", "timestamp", "value"):
        raise ValueError(f"tags are not read: remove {shown('!' + tag.removeprefix('!'))}")
    if not _encodable(text):
        raise ValueError("holds half a character")
    return text


def _encodable(text: str) -> bool:
    """No lone surrogate, which an escape can write but no file can hold."""
    return not any("\ud800" <= character <= "\udfff" for character in text)
