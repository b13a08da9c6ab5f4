"""Arrivals: at the times that a rate means, and as a file says or not at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from hwsim.errors import SpecError
from hwsim.simulate.stream.requests import MOST, Arrivals, Constant, Poisson, read_arrivals


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_a_constant_rate_is_evenly_spaced() -> None:
    assert list(Constant(4).times(1.0, generator())) == [0.0, 0.25, 0.5, 0.75]
    assert list(Constant(4).times(1.1, generator())) == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert len(Constant(2000).times(1.0, generator())) == 2000


def test_poisson_arrivals_are_random_and_reproducible() -> None:
    first, again, other = (Poisson(1000).times(2.0, generator(seed)) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first[:10], other[:10])


def test_gaps_of_poisson_arrivals_are_exponential_and_independent() -> None:
    times = Poisson(50).times(400.0, generator(3))
    gaps = np.diff(times)
    assert stats.kstest(gaps, stats.expon(scale=gaps.mean()).cdf).pvalue > 0.01  # how many there are is drawn too
    assert abs(np.corrcoef(gaps[:-1], gaps[1:])[0, 1]) < 4 / np.sqrt(len(gaps))


def test_the_number_of_poisson_arrivals_varies_as_much_as_its_mean() -> None:
    counts = np.array([len(Poisson(100).times(1.0, generator(seed))) for seed in range(400)])
    assert counts.mean() == pytest.approx(100, abs=4 * 10 / 20)
    assert 0.75 < counts.var() / 100 < 1.3  # chi-square with 399 degrees of freedom, beyond 3.5 sigma


@pytest.mark.parametrize("arrivals", [Constant(1e9), Poisson(1e9)])
def test_a_rate_needs_a_duration_that_is_not_too_long(arrivals: Arrivals) -> None:
    with pytest.raises(SpecError, match="need a duration"):
        arrivals.times(None, generator())
    with pytest.raises(SpecError, match=f"more than {MOST:,}"):
        arrivals.times(1.0, generator())


@pytest.mark.parametrize(
    "text",
    [
        "0\n0.5\n0.5\n2e0\n",
        "# recorded on Tuesday\n0\n\n0.5 # the first of two\n0.5\n2\n\n",
        "\ufefftime\n0\n0.5\n0.5\n2",
        "id,time\nA,0\nB,0.5\nC,.5\nD,2.\n",
        'Time,"user"\r\n0,ann\r\n0.5,bob\r\n"0.5",bob\r\n2,ann\r\n',
    ],
)
def test_files_are_text_or_tables(tmp_path: Path, text: str) -> None:
    path = tmp_path / "arrivals.csv"
    path.write_text(text, encoding="utf-8", newline="")
    recorded = read_arrivals(path)
    assert list(recorded.times(None, generator())) == [0.0, 0.5, 0.5, 2.0]
    assert list(recorded.times(2.0, generator())) == [0.0, 0.5, 0.5]


def test_an_empty_file_has_no_requests(tmp_path: Path) -> None:
    (tmp_path / "none").write_text("# nothing\n\n")
    assert not len(read_arrivals(tmp_path / "none").times(None, generator()))


def test_every_fault_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("0.1\nsoon\n-1\n0.3\n0.2\nnan\ninf\n\n0.4\n")
    with pytest.raises(SpecError) as caught:
        read_arrivals(path)
    said = str(caught.value).splitlines()
    assert [line.split(":")[1] for line in said] == ["2", "3", "5", "6", "7"]
    assert "'soon' is not a time" in said[0]
    assert "before line 4" in said[2]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("0.1,7\n0.2,8\n", "1: a table needs a header"),
        ("id,when\n1,0.1\n", "1: a table needs a header"),
        ("id,time\n1,0.1\n2\n", "3: '' is not a time"),
        ("x\n" * 500, "400 more lines are faulty"),
    ],
)
def test_what_is_no_table_of_times_is_refused(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(text)
    with pytest.raises(SpecError, match=why):
        read_arrivals(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"cannot be read: no such file"):
        read_arrivals(tmp_path / "missing.txt")
