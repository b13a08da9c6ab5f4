"""Values are frozen, compare by content, and have fingerprints that mean the same everywhere."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys

import pytest
from pydantic import Field, ValidationError

from hwsim.value import Value


class Point(Value):
    """A value with every kind of field that matters here."""

    x: float = 0
    """Across."""
    tags: tuple[str, ...] = ()
    sizes: dict[str, int] = Field(default_factory=dict)


class Place(Value):
    """Has the same fields as a point."""

    x: float = 0
    tags: tuple[str, ...] = ()
    sizes: dict[str, int] = Field(default_factory=dict)


def test_values_are_frozen_and_refuse_unknown_fields() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Point().x = 1
    with pytest.raises(ValidationError, match="Extra inputs"):
        Point(y=1)


def test_equal_values_have_equal_hashes_and_fingerprints() -> None:
    one, other = Point(sizes={"a": 1, "b": 2}), Point(sizes={"b": 2, "a": 1}, x=0.0)
    assert one == other
    assert hash(one) == hash(other)
    assert one.fingerprint() == other.fingerprint()
    assert one == Point(sizes={"a": 1, "b": 2})  # a value whose fingerprint was asked for and one whose was not
    assert len({one, other}) == 1


def test_whole_and_decimal_numbers_are_one_number() -> None:
    assert Point(x=32).fingerprint() == Point(x=32.0).fingerprint() == Point.model_construct(x=32).fingerprint()


@pytest.mark.parametrize(
    "other", [Point(x=1), Point(tags=("a",)), Point(sizes={"a": 1}), Point(x=float("inf")), Place()]
)
def test_different_content_or_type_changes_the_fingerprint(other: Value) -> None:
    assert other.fingerprint() != Point().fingerprint()


def test_a_fingerprint_is_the_same_in_another_process() -> None:
    program = """
from hwsim.value import Value
class Point(Value):
    x: float
    tags: tuple[str, ...]
    sizes: dict[str, int]
point = Point(x=0.1, tags=("b", "a"), sizes={"c": 1})
print(point.fingerprint(), hash(point))
"""
    here = Point(x=0.1, tags=("b", "a"), sizes={"c": 1})
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONHASHSEED": seed},
        )
        assert done.stdout.split() == [here.fingerprint(), str(hash(here))]


def test_a_copy_with_changes_is_validated_and_has_its_own_fingerprint() -> None:
    point = Point(tags=("a",))
    point.fingerprint()
    moved = point.model_copy(update={"x": 2})
    assert moved == Point(x=2, tags=("a",))
    assert moved.fingerprint() == Point(x=2, tags=("a",)).fingerprint()
    with pytest.raises(ValidationError):
        point.model_copy(update={"x": "far"})


def test_values_survive_pickling() -> None:
    point = Point(sizes={"a": 1})
    assert pickle.loads(pickle.dumps(point)) == point


def test_a_text_under_a_field_documents_it() -> None:
    assert Point.model_json_schema()["properties"]["x"]["description"] == "Across."
