"""Quantities: values from their definitions (SI prefixes, powers of 1024), and what is refused."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given, strategies as st
from pydantic import TypeAdapter, ValidationError

from hwsim import units
from hwsim.units import UNITS_REQUIRED, Bandwidth, Dimension, format_bytes, format_si, parse

DIMENSIONS = [value for value in vars(units).values() if isinstance(value, Dimension)]
AMOUNTS = st.floats(min_value=1e-20, max_value=1e20)


@pytest.mark.parametrize(
    ("text", "dimension", "value"),
    [
        ("5.5 MiB", units.DATA, 5.5 * 1024**2),
        ("64KiB", units.DATA, 65536),
        ("2 MB", units.DATA, 2e6),
        ("1 Gbit", units.DATA, 1e9 / 8),
        ("12 bytes", units.DATA, 12),
        ("32 bit", units.WIDTH, 32),
        ("4 B", units.WIDTH, 32),
        ("24 bits", units.WIDTH, 24),
        ("1545 MHz", units.FREQUENCY, 1.545e9),
        ("1.2e3 kHz", units.FREQUENCY, 1.2e6),
        ("5 us", units.TIME, 5e-6),
        ("5 µs", units.TIME, 5e-6),
        ("0.2 pJ", units.ENERGY, 0.2e-12),
        ("6 pJ/16bit", units.ENERGY_PER_BIT, 0.375e-12),
        ("6 pJ / 16 bits", units.ENERGY_PER_BIT, 0.375e-12),
        ("12.5 pJ/bit", units.ENERGY_PER_BIT, 12.5e-12),
        ("7 pJ/B", units.ENERGY_PER_BIT, 0.875e-12),
        ("250 W", units.POWER, 250),
        ("36 mm2", units.AREA, 36e-6),
        ("36 mm^2", units.AREA, 36e-6),
        ("511 µm²", units.AREA, 511e-12),
        ("100 cycles", units.CYCLES, 100),
        ("1 cycle", units.CYCLES, 1),
        ("100", units.CYCLES, 100),
        ("+0 J", units.ENERGY, 0),
    ],
)
def test_text_to_si(text: str, dimension: Dimension, value: float) -> None:
    assert parse(text, dimension) == value
    assert re.search(dimension.pattern, text) or text == "100"


@pytest.mark.parametrize(
    ("text", "amount", "per", "at_1_ghz"),
    [
        ("616 GB/s", 616e9, "second", 616),
        ("64 B/cycle", 64, "cycle", 64),
        ("192 bit/cycle", 24, "cycle", 24),
        ("25.6 Gbit/s", 3.2e9, "second", 3.2),
    ],
)
def test_bandwidths(text: str, amount: float, per: str, at_1_ghz: float) -> None:
    bandwidth = Bandwidth.parse(text)
    assert (bandwidth.amount, bandwidth.per) == (amount, per)
    assert bandwidth.bytes_per_cycle(1e9) == pytest.approx(at_1_ghz)
    assert Bandwidth.parse(str(bandwidth)) == bandwidth
    assert re.search(units.BANDWIDTH.pattern, text)


@pytest.mark.parametrize(
    ("text", "dimension", "message"),
    [
        ("64", units.DATA, "missing unit: write e.g. 64 KiB"),
        ("lots", units.DATA, "'lots' is not a size: write e.g. 64 KiB"),
        ("", units.TIME, "'' is not a time"),
        ("-5 MiB", units.DATA, "'-5 MiB' is negative"),
        ("64 KB", units.DATA, "'KB' is ambiguous: write Ki (1024) or k (1000)"),
        ("64 kb", units.DATA, "'kb' is ambiguous: write bit, or B for bytes"),
        ("64 Kib", units.DATA, "'Kib' is ambiguous: write bit, or B for bytes"),
        ("5 mhz", units.FREQUENCY, "did you mean MHz?"),
        ("5 MHz", units.TIME, "'MHz' is not a unit of a time"),
        ("5 s/s", units.TIME, "'s/s' is not a unit of a time"),
        ("6 pJ", units.ENERGY_PER_BIT, "lacks what it is per: write e.g. 6 pJ/16bit"),
        ("6 pJ/0bit", units.ENERGY_PER_BIT, "divides by zero"),
        ("6 pJ/s", units.ENERGY_PER_BIT, "is not a unit of an energy per bit"),
        ("4 GBps", units.BANDWIDTH, "did you mean GB/s?"),
        ("1e999 J", units.ENERGY, "is not a finite number"),
        ("1e999999999999999999999 J", units.ENERGY, "is not a finite number"),
        ("nan J", units.ENERGY, "is not an energy"),
        ("5 J" + "x" * 10_000, units.ENERGY, "..."),
        ("1 J\n2 J", units.ENERGY, "is not an energy"),
    ],
)
def test_what_is_no_quantity_is_refused_in_words(text: str, dimension: Dimension, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        parse(text, dimension)
    assert len(str(caught.value)) < 200
    assert "\n" not in str(caught.value)
    assert not re.search(dimension.pattern, text) or "finite" in message or "zero" in message


@given(st.sampled_from(DIMENSIONS), st.text(alphabet="0123456789.eE+- kKMGTiBbitsJpnuµW/mHzcylfA²^2\n", max_size=20))
def test_any_text_is_parsed_or_refused(dimension: Dimension, text: str) -> None:
    try:
        value = parse(text, dimension)
    except ValueError:
        return
    assert math.isfinite(value)
    assert value >= 0


@given(st.sampled_from([d for d in DIMENSIONS if d.per is None and not d.optional]), st.data())
def test_whatever_matches_the_schema_is_parsed(dimension: Dimension, data: st.DataObject) -> None:
    pattern = dimension.pattern.replace(r"[eE][+-]?\d+", r"[eE][+-]?\d")  # any exponent could be too large
    text = data.draw(st.from_regex(re.compile(pattern, re.ASCII), fullmatch=True).filter(lambda t: len(t) < 200))
    assert parse(text, dimension) >= 0


@given(AMOUNTS, st.sampled_from([d for d in DIMENSIONS if d.per is None and not d.optional and d is not units.WIDTH]))
def test_a_formatted_quantity_parses_to_itself(value: float, dimension: Dimension) -> None:
    unit = dimension.base
    assert parse(format_si(value, unit, digits=None), dimension) == value
    assert parse(format_si(value, unit), dimension) == pytest.approx(value, rel=5.1e-3)


@given(AMOUNTS, st.sampled_from(["second", "cycle"]))
def test_a_printed_bandwidth_parses_to_itself(amount: float, per: str) -> None:
    bandwidth = Bandwidth(amount, per)
    assert Bandwidth.parse(str(bandwidth)) == bandwidth


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (6.16e11, "B/s", "616 GB/s"),
        (0.2e-12, "J", "200 fJ"),
        (999.9996, "Hz", "1 kHz"),
        (12345, "Hz", "12.3 kHz"),
        (36e-6, "m2", "36 mm2"),
        (1.736e-9, "m2", "1740 um2"),
        (0.5, "B/cycle", "0.5 B/cycle"),
        (1e-5, "m2", "10 mm2"),
        (0, "W", "0 W"),
        (float("inf"), "s", "inf s"),
        (-3e-3, "s", "-3 ms"),
    ],
)
def test_numbers_for_people(value: float, unit: str, text: str) -> None:
    assert format_si(value, unit) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 B"),
        (1000, "1000 B"),
        (1536, "1.5 KiB"),
        (1000 * 1024, "1000 KiB"),
        (5767168, "5.5 MiB"),
        (2**40, "1 TiB"),
    ],
)
def test_sizes_for_people(value: float, text: str) -> None:
    assert format_bytes(value) == text


def test_python_may_give_base_units_where_files_may_not() -> None:
    size = TypeAdapter(units.Bytes)
    assert size.validate_python(64) == 64.0
    assert size.validate_python("1 KiB", context=UNITS_REQUIRED) == 1024.0
    with pytest.raises(ValidationError, match=r"missing unit: write e\.g\. 64 KiB"):
        size.validate_python(64, context=UNITS_REQUIRED)
    assert TypeAdapter(units.Cycles).validate_python(64, context=UNITS_REQUIRED) == 64.0


@pytest.mark.parametrize("given", [True, None, [], {}, -1, float("nan"), float("inf"), 10**400, b"1 J"])
def test_what_is_no_amount_is_refused(given: object) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(units.Energy).validate_python(given)


@pytest.mark.parametrize("given", [64, 64.0, True, None, [], "64", "64 GB"])
def test_what_is_no_bandwidth_is_refused(given: object) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Bandwidth).validate_python(given)


def test_a_bandwidth_is_written_as_text() -> None:
    adapter = TypeAdapter(Bandwidth)
    assert adapter.dump_json(Bandwidth(64.0, "cycle")) == b'"64 B/cycle"'
    assert adapter.validate_python(Bandwidth(64.0, "cycle")) == Bandwidth(64.0, "cycle")
    with pytest.raises(ValueError, match="negative"):
        Bandwidth(-1.0, "cycle")
