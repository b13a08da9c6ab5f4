"""Changes to a description from the command line: `levels.GLB.memories.GLB.size=256 KiB`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel

from hwsim.errors import Fault, SpecError, did_you_mean, shown
from hwsim.spec.document import Document, Location, parse, path_text
from hwsim.spec.schema import Keys, keys_of


def apply(overrides: Iterable[str], document: Document, model: type[BaseModel]) -> None:
    """Change a document in place; what is wrong with an override joins the document's faults.

    A path follows the keys of the file; an entry of a list goes by its name or its index. Mappings that the file
    leaves out are made on the way.
    """
    for override in overrides:
        origin = f"--set {override if len(override) <= 80 else override[:77] + '...'}"
        path, equals, text = override.partition("=")
        parts = parts_of(path)
        try:
            if not equals or not all(parts):
                raise Astray("write PATH=VALUE, with a path such as levels.DRAM.memories.DRAM.bandwidth")
            if not text.strip():
                raise Astray("gives no value")
            value = parse(text, origin)
            where = put(document.data, parts, value.data, keys_of(model))
            document.origins[where] = origin
            document.unread.update((*where, *inside) for inside in value.unread)
            document.faults.extend(Fault(fault.message, origin) for fault in value.faults)
        except Astray as wrong:
            document.faults.append(Fault(str(wrong), origin))
        except SpecError as error:
            document.faults.extend(Fault(fault.message, origin) for fault in error.faults)


class Astray(Exception):
    """Why an override cannot be applied: its path leads nowhere."""


def parts_of(path: str) -> list[str]:
    """The keys, names and indices of a path, from the outside in."""
    return [part.strip() for part in re.sub(r"\[([^\]]*)\]", r".\1", path).split(".")]


def put(data: Any, parts: list[str], value: Any, keys: Keys) -> Location:
    """Put a value into some data where a path leads, and say where that is.

    Raises:
        Astray: it leads nowhere; says what is there instead.
    """
    where: Location = ()
    node = data
    for part in parts:
        step = _step(node, part, where, data, keys)
        if len(where) + 1 == len(parts):
            node[step] = value
        elif isinstance(node, dict) and node.get(part) is None and keys.at((*where, part), data):
            node[part] = {}
        where = (*where, step)
        node = node.get(part) if isinstance(node, dict) else node[int(step)]
    return where


def _step(node: Any, part: str, where: Location, data: Any, keys: Keys) -> str | int:
    """The key or index that a part of a path means."""
    here = path_text(where) or "the file"
    if isinstance(node, dict):
        if part in node:
            return part
        known = keys.at(where, data) or dict.fromkeys(node, "")
        if part not in known and not keys.open(where, data):
            hint = did_you_mean(part, known) or f" (known keys: {', '.join(known)})"
            raise Astray(f"{here} has no key {shown(part)}{hint}")
        return part
    if not isinstance(node, list):
        raise Astray(f"{here} is {'not there' if node is None else shown(node)}, and so has no {shown(part)}")
    names = [item.get("name") if isinstance(item, dict) else None for item in node]
    if part in names:
        return names.index(part)
    if part.isdecimal() and len(part) < 10 and int(part) < len(node):
        return int(part)
    known_names = [name for name in names if isinstance(name, str)]
    hint = did_you_mean(part, known_names) or f" (known entries: {', '.join(known_names) or f'0 to {len(node) - 1}'})"
    raise Astray(f"{here} has no entry {shown(part)}{hint}")
