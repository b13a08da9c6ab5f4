"""The base of every value that a file can describe: frozen, hashable, with a fingerprint of its content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from functools import cached_property
from itertools import pairwise
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler


class Value(BaseModel):
    """A frozen record that refuses unknown fields. A text under a field documents it in the JSON Schema."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")

    def fingerprint(self) -> str:
        """16 hexadecimal digits of the SHA-256 of the type and canonical JSON content: equal in every process."""
        return self._digest

    @cached_property
    def _digest(self) -> str:
        return digest(type(self).__name__, self.model_dump(mode="json"))

    def __hash__(self) -> int:
        """The fingerprint, so that a dictionary inside a value does not stop it from being a key."""
        return int(self._digest, 16)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy with some fields changed, validated anew.

        pydantic's own copy skips validation and would carry the old fingerprint along.
        """
        kept = {type(self).model_fields[name].alias or name: getattr(self, name) for name in self.model_fields_set}
        return type(self).model_validate({**kept, **(update or {})})

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        # pydantic can find these texts too, but does so when a class is made, which would slow down every start.
        schema = handler.resolve_ref_schema(handler(core_schema))
        for name, text in _texts(cls):
            schema.get("properties", {}).get(name, {}).setdefault("description", text)
        return schema


def digest(kind: str, content: Any) -> str:
    """16 hexadecimal digits of the SHA-256 of plain content, whatever the order of its keys."""
    return fingerprint_of(canonical(kind, content))


def fingerprint_of(text: str) -> str:
    """16 hexadecimal digits of the SHA-256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def canonical(kind: str, content: Any) -> str:
    """The text that `digest` is taken of: 32 and 32.0 are written the same way."""
    return f"{kind} {json.dumps(json.loads(json.dumps(content, sort_keys=True), parse_int=float))}"


def _texts(model: type[Value]) -> Iterator[tuple[str, str]]:
    """Fields of a model and its bases with the text under each, as far as the source is at hand."""
    import ast
    from inspect import cleandoc, getsource
    from textwrap import dedent

    for base in (base for base in model.__mro__ if issubclass(base, Value)):
        try:
            (definition,) = ast.parse(dedent(getsource(base))).body
        except (OSError, SyntaxError):
            continue
        for field, below in pairwise(definition.body if isinstance(definition, ast.ClassDef) else ()):
            if (
                isinstance(field, ast.AnnAssign)
                and isinstance(field.target, ast.Name)
                and isinstance(below, ast.Expr)
                and isinstance(below.value, ast.Constant)
            ):
                yield field.target.id, cleandoc(str(below.value.value))
