"""The JSON Schemas that editors use, and the keys that messages name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from hwsim.spec.load import KINDS
from hwsim.spec.schema import json_schema, keys_of

SCHEMAS = {kind: json_schema(model) for kind, model in KINDS.items()}


def parts(schema: Any) -> Iterator[dict[str, Any]]:
    """Every mapping inside a schema."""
    if isinstance(schema, dict):
        yield schema
        for value in schema.values():
            yield from parts(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from parts(value)


@pytest.mark.parametrize("kind", KINDS)
def test_references_lead_somewhere(kind: str) -> None:
    references = [part["$ref"] for part in parts(SCHEMAS[kind]) if "$ref" in part]
    assert references
    assert {reference.removeprefix("#/$defs/") for reference in references} <= set(SCHEMAS[kind]["$defs"])


@pytest.mark.parametrize("kind", KINDS)
def test_quantities_are_text_with_a_pattern_that_their_examples_match(kind: str) -> None:
    quantities = [part for part in parts(SCHEMAS[kind]) if "pattern" in part]
    assert len(quantities) > 10 or kind != "hardware"
    for part in quantities:
        assert part["type"] == "string"
        assert part["examples"]
        assert all(re.search(part["pattern"], example) for example in part["examples"])


@pytest.mark.parametrize("kind", KINDS)
def test_no_default_contradicts_its_type(kind: str) -> None:
    for part in parts(SCHEMAS[kind]):
        if part.get("type") == "string" and "default" in part:
            assert isinstance(part["default"], str)


def test_required_and_closed() -> None:
    assert SCHEMAS["hardware"]["required"] == ["name", "clock", "levels", "datapath", "vector"]
    assert SCHEMAS["ensemble"]["required"] == ["name", "network", "members"]
    assert SCHEMAS["space"]["required"] == ["name", "subjects", "chips", "objectives"]
    assert SCHEMAS["measurement"]["required"][:2] == ["schema", "ensemble"]
    assert SCHEMAS["hardware"]["additionalProperties"] is False


def test_a_network_may_be_a_name_alone() -> None:
    name, mapping = SCHEMAS["ensemble"]["$defs"]["NetworkReference"]["anyOf"]
    assert name["type"] == "string"
    assert mapping["additionalProperties"]


@pytest.mark.parametrize(
    ("where", "data", "some", "never"),
    [
        ((), {}, {"clock", "levels", "systolic"}, {"style"}),
        (("levels", 0), {"levels": [{}]}, {"memories", "fanout", "tile"}, {"clock"}),
        (("levels", 0, "memories", 3, "energy"), {}, {"read", "write"}, {"name"}),
        (("levels", 0, "tile"), {}, {"N", "K"}, {"Z"}),
        (("datapath",), {"datapath": {"style": "table"}}, {"style", "modes"}, {"serial"}),
        (("datapath",), {"datapath": {"style": "bit_serial"}}, {"style", "serial"}, {"modes"}),
        (("datapath",), {"datapath": {"style": "nonesuch"}}, {"serial", "modes"}, set()),
    ],
)
def test_the_keys_of_a_place(where: tuple[str | int, ...], data: Any, some: set[str], never: set[str]) -> None:
    keys = set(keys_of(KINDS["hardware"]).at(where, data))
    assert some <= keys
    assert not never & keys


def test_the_keys_of_a_space() -> None:
    keys = keys_of(KINDS["space"])
    assert set(keys.at(("chips", "knobs", 0), {})) == {"name", "path", "values", "range", "choices"}
    assert set(keys.at(("chips", "knobs", 0, "range"), {})) == {"from", "to", "step", "factor"}
    assert set(keys.at(("constraints",), {})) == set(keys.at(("objectives",), {})) >= {"time_overhead", "area"}
    assert keys.open(("chips", "knobs", 0, "choices"), {})
    assert not keys.open(("constraints",), {})


@pytest.mark.parametrize("where", [("clock",), ("nonesuch",), ("levels",), ("levels", "GLB"), ("name", 0)])
def test_a_place_without_keys(where: tuple[str | int, ...]) -> None:
    assert keys_of(KINDS["hardware"]).at(where, {}) == {}


def test_documentation_comes_along() -> None:
    assert keys_of(KINDS["hardware"]).at((), {})["clock"].endswith("[Hz].")
    assert keys_of(KINDS["ensemble"]).open(("network",), {})
    assert not keys_of(KINDS["ensemble"]).open((), {})
    assert not keys_of(KINDS["hardware"]).open(("levels", 0, "tile"), {})
