"""YAML to data with places, and what a description must not hold, in words."""

from __future__ import annotations

import json
import math
import re
import warnings

import pytest
from hypothesis import example, given, strategies as st

from hwsim.errors import Fault, SpecError
from hwsim.spec.document import NODES, Document, Place, location, parse, path_text

WORDS = st.text(alphabet="abcXYZ 0159.-+_:#'\"\\\n\té²", max_size=8)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | WORDS
DATA = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=4))


@given(DATA)
def test_what_is_written_is_read(data: object) -> None:
    document = parse(json.dumps(data, indent=1, ensure_ascii=False), "f")  # JSON is YAML
    assert document.data == data
    assert document.faults == []


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1_000", 1000),
        ("0x1F", 31),
        ("0o17", 15),
        ("017", 17),
        ("-3", -3),
        ("1.5e3", 1500.0),
        (".inf", math.inf),
        ("-.INF", -math.inf),
        ("~", None),
        ("true", True),
        ("yes", "yes"),
        ("N", "N"),
        ("2020-01-01", "2020-01-01"),
        ("!!str 3", "3"),
        ("5 MiB", "5 MiB"),
        ("12:30", "12:30"),
    ],
)
def test_scalars_follow_yaml_1_2(text: str, value: object) -> None:
    read = parse(f"a: {text}\n", "f").data["a"]
    assert read == value
    assert type(read) is type(value)


def test_every_key_and_value_has_its_place() -> None:
    document = parse("a: 1\nb:\n  - x\n  - {c: 2}\n", "f")
    assert document.keys == {("a",): Place(1, 1), ("b",): Place(2, 1), ("b", 1, "c"): Place(4, 6)}
    assert document.values[()] == Place(1, 1)
    assert document.values["b", 0] == Place(3, 5)
    assert document.values["b", 1, "c"] == Place(4, 9)


@pytest.mark.parametrize(
    ("where", "at_key", "line", "column"),
    [
        (("b", 0, "c"), False, 3, 8),
        (("b", 0, "c"), True, 3, 5),
        (("b", 0, "missing"), False, 3, 5),  # the entry of the list that lacks it
        (("b", "missing"), False, 2, 1),  # the key that holds the list
        (("missing", 3), False, 1, 1),
    ],
)
def test_a_fault_stands_at_the_closest_thing_in_the_file(
    where: tuple[str | int, ...], at_key: bool, line: int, column: int
) -> None:
    fault = parse("a: 1\nb:\n  - c: 2\n", "f").fault("m", where, at_key)
    assert (fault.line, fault.column) == (line, column)


def test_an_alias_is_a_copy() -> None:
    data = parse("a: &x {b: [1]}\nc: *x\n", "f").data
    data["a"]["b"].append(2)
    assert data["c"] == {"b": [1]}


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("a: 1\nb: {a: 1, c: 2, c: 3}\na: 2\na: 3", {
            "f:2:17: b.c: key 'c' is here twice; the first is on line 2",
            "f:3:1: a: key 'a' is here twice; the first is on line 1",
            "f:4:1: a: key 'a' is here twice; the first is on line 1",
        }),
        ("a: !!python/object:os.system x", {"f:1:4: a: tags are not read: remove '!python/object:os.system'"}),
        ("a: !mine {b: 1}", {"f:1:4: a: tags are not read: remove '!mine'"}),
        ("a: !mine [b]", {"f:1:4: a: tags are not read: remove '!mine'"}),
        ("a: !!set {b}", {"f:1:4: a: tags are not read: remove '!set'"}),
        ("a: !!binary aGk=", {"f:1:4: a: tags are not read: remove '!binary'"}),
        ("a: !!int b", {"f:1:4: a: 'b' is not a number that can be read"}),
        ("a: 1" + "0" * 5000, {f"f:1:4: a: '1{'0' * 36}...' is not a number that can be read"}),
        ("a: &a {b: 1}\n<<: *a", {"f:2:1: <<: merge keys are not read: write the entries out"}),
        ("[a]: 1", {"f:1:1: a key must be a word"}),
        ('a: "\\ud800"', {"f:1:4: a: holds half a character"}),
        ('"\\ud800": 1', {"f:1:1: holds half a character"}),
    ],
)  # fmt: skip
def test_what_yaml_tolerates_and_a_description_must_not(text: str, faults: set[str]) -> None:
    assert {str(fault) for fault in parse(text, "f").faults} == faults


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "f: is empty"),
        ("# nothing\n---\n", None),  # an explicit empty document is null
        ("a: b: c", "f:1:5: mapping values are not allowed here"),
        ("\ta: 1", "f:1:1: while scanning for the next token, found character '\\t' that cannot start any token; "
                   "indent with spaces"),
        ("a: 'b", "f:1:6: while scanning a quoted scalar that starts on line 1, found unexpected end of stream"),
        ("a: *b", "f:1:4: found undefined alias 'b'"),
        ("a: 1\nb: \0", "f:2:4: the character '\\x00' may not stand in YAML"),
        ("a: 1\n---\nb: 1\n", "f:2:1: expected a single document in the stream that starts on line 1, but found "
                               "another document"),
        ("[" * 1000, "f: is nested too deeply"),
        ("[" * 40 + "]" * 40, "f:1:34: is nested too deeply"),
        ("a: &a [*a]", "f:1:4: is nested too deeply"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_at_all(text: str, fault: str | None) -> None:
    if fault is None:
        assert parse(text, "f").data is None
        return
    with pytest.raises(SpecError) as caught:
        parse(text, "f")
    assert str(caught.value) == fault


def test_aliases_cannot_multiply_without_end() -> None:
    lines = ["a0: &a0 [" + ", ".join("x" * 9) + "]"]
    lines += [f"a{i}: &a{i} [" + ", ".join([f"*a{i - 1}"] * 9) + "]" for i in range(1, 20)]
    assert NODES < 9**20
    with pytest.raises(SpecError, match="holds too many values"):
        parse("\n".join(lines), "f")


@given(st.text(alphabet="ab:-[]{}&*!#|>'\"%@`,?\\ \n\t0.<=~\x00\x85\u2028\ufeff\ud800", max_size=40))
@example("%YAML 9.9\n---\na")
@example("%TAG ! x\n---\n!a b")
@example("a: &x 1\nb: &x 2")
@example("! a: b")
@example("a: |9\n b")
def test_any_text_is_read_or_refused_in_lines_of_their_own(text: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            faults: tuple[Fault, ...] = tuple(parse(text, "f").faults)
        except SpecError as error:
            faults = error.faults
            assert faults
    for fault in faults:
        assert re.fullmatch(r"f(:\d+:\d+)?: .+", str(fault))
        assert "\ud800" not in str(fault)


@pytest.mark.parametrize(
    ("where", "text"),
    [
        ((), ""),
        (("levels", 0, "memories", 12, "size"), "levels[0].memories[12].size"),
        (("tile", "a b"), "tile.'a b'"),
        (("a\nb",), r"'a\nb'"),
    ],
)
def test_a_location_reads_as_a_path(where: tuple[str | int, ...], text: str) -> None:
    assert path_text(where) == text


def test_a_fault_in_what_an_override_set_names_the_override() -> None:
    document = Document("f", origins={("a",): "--set a=1"})
    assert str(document.fault("m", ("a", "b"))) == "--set a=1: a.b: m"


@pytest.mark.parametrize("where", [(), ("clock",), ("levels", 0, "memories", 12, "size"), ("<x>", 3, 4)])
def test_a_path_leads_back_to_its_location(where: tuple[str | int, ...]) -> None:
    assert location(path_text(where)) == where
