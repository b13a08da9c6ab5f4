"""The base of every value that a file can describe: frozen, hashable, with a fingerprint of its content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Self

from pydantic import BaseModel, ConfigDict


class Value(BaseModel):
    """A frozen record that refuses unknown fields. A text under a field documents it, in the JSON Schema too."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, ser_json_inf_nan="strings")

    def fingerprint(self) -> str:
        """16 hexadecimal digits of the SHA-256 of the type and canonical JSON content: equal in every process."""
        return self._digest

    @cached_property
    def _digest(self) -> str:
        content = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        content = json.dumps(json.loads(content, parse_int=float))  # 32 and 32.0 are equal
        return hashlib.sha256(f"{type(self).__name__} {content}".encode()).hexdigest()[:16]

    def __hash__(self) -> int:
        """The fingerprint, so that a dictionary inside a value does not stop it from being a key."""
        return int(self._digest, 16)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy with some fields changed, validated anew.

        pydantic's own copy skips validation and would carry the old fingerprint along.
        """
        kept = {name: getattr(self, name) for name in self.model_fields_set}
        return type(self).model_validate({**kept, **(update or {})})
