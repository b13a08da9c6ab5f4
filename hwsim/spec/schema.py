"""JSON Schema of what users write, for editors and for naming the keys that a place takes."""

from __future__ import annotations

from functools import cache
from typing import Any

from pydantic import BaseModel

from hwsim.spec.document import Location


def json_schema(model: type[BaseModel]) -> dict[str, Any]:
    """Schema of the files that describe a `Hardware` or an `Ensemble`, and of the lines that hold a `Measurement`."""
    schema = _without_bare_defaults(model.model_json_schema(mode="validation"))
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _without_bare_defaults(schema: Any) -> Any:
    """Drops defaults in base units where a file must write a text with a unit: an editor would insert them."""
    if isinstance(schema, list):
        return [_without_bare_defaults(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    bare = schema.get("type") == "string" and isinstance(schema.get("default"), int | float)
    return {key: _without_bare_defaults(value) for key, value in schema.items() if not (bare and key == "default")}


class Keys:
    """Which keys a location of some data may have."""

    def __init__(self, model: type[BaseModel]) -> None:
        self._schema = json_schema(model)

    def at(self, where: Location, data: Any) -> dict[str, str]:
        """Names of the keys with their descriptions; empty where the schema names none."""
        names: dict[str, str] = {}
        for schema in self._schemas(where, data):
            names |= dict.fromkeys(schema.get("propertyNames", {}).get("enum", ()), "")
            names |= {name: found.get("description", "") for name, found in schema.get("properties", {}).items()}
        return names

    def open(self, where: Location, data: Any) -> bool:
        """Whether keys of any name may stand there."""
        schemas = self._schemas(where, data)
        return any(schema.get("additionalProperties") and "propertyNames" not in schema for schema in schemas)

    def _schemas(self, where: Location, data: Any) -> list[dict[str, Any]]:
        """Every schema that a location may follow."""
        schemas = [self._schema]
        for part in where:
            schemas = [found for schema in self._options(schemas, data) for found in self._below(schema, part)]
            data = _child(data, part)
        return self._options(schemas, data)

    def _below(self, schema: dict[str, Any], part: str | int) -> list[dict[str, Any]]:
        if isinstance(part, int):
            below = schema.get("items")
        else:
            below = schema.get("properties", {}).get(part, schema.get("additionalProperties"))
        return [below] if isinstance(below, dict) else []

    def _options(self, schemas: list[dict[str, Any]], data: Any) -> list[dict[str, Any]]:
        """The schemas with references followed and choices spread out, or decided where the data says which."""
        found: list[dict[str, Any]] = []
        for schema in schemas:
            mapping = schema.get("discriminator", {}).get("mapping", {})
            tag = _child(data, schema.get("discriminator", {}).get("propertyName", ""))
            if isinstance(tag, str) and tag in mapping:
                found += self._options([{"$ref": mapping[tag]}], data)
            elif "$ref" in schema:
                found += self._options([self._schema["$defs"][schema["$ref"].rpartition("/")[2]]], data)
            elif choices := schema.get("anyOf", schema.get("oneOf")):
                found += self._options(choices, data)
            else:
                found.append(schema)
        return found


@cache
def keys_of(model: type[BaseModel]) -> Keys:
    """The keys of a model's files; the schema behind them is made once."""
    return Keys(model)


def has(data: Any, part: str | int) -> bool:
    """Whether data is a mapping with such a key or a list with such an index."""
    if isinstance(part, int):
        return isinstance(data, list) and part < len(data)
    return isinstance(data, dict) and part in data


def _child(data: Any, part: str | int) -> Any:
    return data[part] if has(data, part) else None
