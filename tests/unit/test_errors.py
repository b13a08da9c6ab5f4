"""How faults read, and that exceptions survive the trip between processes."""

from __future__ import annotations

import pickle

import pytest

from hwsim.errors import Fault, HwsimError, Infeasible, SpecError, did_you_mean, shown


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        (Fault("is empty", "a.yaml"), "a.yaml: is empty"),
        (Fault("missing unit", "a.yaml", 3, 7, "levels[0].size"), "a.yaml:3:7: levels[0].size: missing unit"),
        (Fault("no such layer", field="quantize"), "quantize: no such layer"),
        (Fault("no such file"), "no such file"),
        (Fault("two\nlines", "a\udcff"), r"a\udcff: two\nlines"),
    ],
)
def test_a_fault_reads_file_line_column_field_message(fault: Fault, text: str) -> None:
    assert str(fault) == text


def test_a_spec_error_has_one_fault_a_line() -> None:
    error = SpecError(iter([Fault("one"), Fault("two", "f")]))
    assert str(error) == "one\nf: two"
    assert [fault.message for fault in error.faults] == ["one", "two"]


def test_infeasible_says_where_and_which_constraint() -> None:
    error = Infeasible("a tile of 3 KiB does not fit in 2 KiB", level="GLB", constraint="size")
    assert str(error) == "GLB: size: a tile of 3 KiB does not fit in 2 KiB"
    assert str(Infeasible("no mode")) == "no mode"


@pytest.mark.parametrize("error", [SpecError([Fault("x", "f", 1, 2)]), Infeasible("x", "GLB", "size")])
def test_errors_survive_pickling(error: HwsimError) -> None:
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert vars(copy) == vars(error)
    assert str(copy) == str(error)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "nothing"),
        (True, "true"),
        ({}, "a mapping"),
        ([1], "a list"),
        (2.5, "2.5"),
        ("a\nb", r"'a\nb'"),
        ("x" * 50, f"'{'x' * 37}...'"),
    ],
)
def test_what_a_user_wrote_is_shown_on_one_short_line(value: object, text: str) -> None:
    assert shown(value) == text


def test_a_misspelt_word_suggests_the_name_most_like_it() -> None:
    assert did_you_mean("clok", ["name", "clock"]) == " (did you mean clock?)"
    assert did_you_mean("mhz", ["MHz", "s"]) == " (did you mean MHz?)"
    assert did_you_mean("quux", ["name", "clock"]) == ""
