"""pydantic's errors in a user's words, at the places of the user's file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from hwsim.errors import Fault, did_you_mean, shown
from hwsim.spec.document import Document, Location
from hwsim.spec.schema import has, keys_of

#: What was expected, by the type of pydantic's error.
_EXPECTED = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "int_parsing_size": "a whole number of a sensible size",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "text",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}

_BOUNDS = {
    "greater_than": ("greater than", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("less than", "lt"),
    "less_than_equal": ("at most", "le"),
    "multiple_of": ("a multiple of", "multiple_of"),
}


def explain(error: ValidationError, document: Document, model: type[BaseModel]) -> Iterator[Fault]:
    """The faults behind a validation error, one for each place, where pydantic has one for each choice tried."""
    keys = keys_of(model)
    wanted: dict[Location, list[str]] = {}
    given: dict[Location, Any] = {}
    deeper: set[Location] = set()
    for detail in error.errors(include_url=False):
        where, rest = _inside(detail["loc"], document.data)
        deeper |= {where[:i] for i in range(len(where))}
        kind = detail["type"]
        if kind == "too_short" and detail["input"]:
            continue  # pydantic counts the items that are right
        expected = _expected(detail, keys.at(where, document.data))
        if expected:
            wanted[where] = list(dict.fromkeys((*wanted.get(where, ()), *expected)))
            given[where] = detail["input"]
        elif kind in ("missing", "union_tag_not_found"):
            deeper.add(where)
            name = _tag(detail) if kind == "union_tag_not_found" else rest
            yield document.fault(_missing(name, detail, keys.at(where, document.data)), (*where, name))
        elif kind == "extra_forbidden":
            known = [name for name in keys.at(where[:-1], document.data) if name != where[-1]]
            yield document.fault(_unknown(str(where[-1]), known), where, at_key=True)
        elif kind == "union_tag_invalid":
            tags = re.findall(r"'([^']*)'", detail["ctx"]["expected_tags"])
            yield document.fault(_choice(detail["ctx"]["tag"], tags), (*where, _tag(detail)))
        else:
            at_key = detail["loc"][-1:] == ("[key]",)
            deeper |= set() if at_key else {where}
            yield document.fault(_other(detail), where, at_key)
    # A choice that got inside the value, or has only its size against it, was the one meant, so what the other choices
    # wanted of the whole says nothing.
    yield from (document.fault(_wanted(given[where], wanted[where]), where) for where in wanted if where not in deeper)


def _inside(loc: tuple[str | int, ...], data: Any) -> tuple[Location, str]:
    """The part of pydantic's location that exists in the data, and the last name that does not.

    Names of the choices of a union, and "[key]" for a mapping's key, stand in pydantic's location but not in the data.
    """
    where: list[str | int] = []
    rest = ""
    for part in loc:
        if has(data, part):
            where.append(part)
            data = data[part]
        else:
            rest = str(part)
    return tuple(where), rest


def _expected(detail: ErrorDetails, keys: dict[str, str]) -> list[str]:
    """What would have been right in place of a value of a wrong kind."""
    kind = detail["type"]
    if kind in ("enum", "literal_error") and detail["loc"][-1:] != ("[key]",):
        return re.findall(r"'([^']*)'", detail["ctx"]["expected"])
    if kind in ("model_type", "model_attributes_type") and keys:
        return [f"a mapping with {'the keys' if len(keys) > 1 else 'the key'} {', '.join(keys)}"]
    return [_EXPECTED[kind]] if kind in _EXPECTED else []


def _wanted(given: Any, expected: list[str]) -> str:
    hint = did_you_mean(given, expected) if isinstance(given, str) else ""
    return f"must be {_either(expected)}, not {shown(given)}{hint}"


def _either(options: list[str]) -> str:
    return " or ".join(filter(None, (", ".join(options[:-1]), options[-1])))


def _missing(name: str, detail: ErrorDetails, keys: dict[str, str]) -> str:
    if detail["type"] == "union_tag_not_found":
        return "is missing"
    description = " ".join(keys.get(name, "").split())
    return f"is missing: {description[:1].lower()}{description[1:]}".removesuffix(".") if description else "is missing"


def _unknown(name: str, known: list[str]) -> str:
    hint = did_you_mean(name, known)
    if not hint and known:
        hint = f" (known keys: {', '.join(known)})"
    return f"unknown key{hint}"


def _choice(given: str, known: list[str]) -> str:
    return f"must be {_either(known)}, not {shown(given)}{did_you_mean(given, known)}"


def _tag(detail: ErrorDetails) -> str:
    return str(detail["ctx"]["discriminator"]).strip("'")


def _other(detail: ErrorDetails) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "value_error":
        return str(context["error"])
    if kind in _BOUNDS:
        words, key = _BOUNDS[kind]
        return f"must be {words} {context[key]:.12g}, not {shown(detail['input'])}"
    if kind in ("too_short", "string_too_short"):
        return "must not be empty"
    if kind == "literal_error":  # of a mapping's key, whose input is its name
        return _choice(str(detail["input"]), re.findall(r"'([^']*)'", context["expected"]))
    return detail["msg"][:1].lower() + detail["msg"][1:]
