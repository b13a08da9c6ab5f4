"""When requests arrive: at a constant rate, as a Poisson process, or as somebody recorded.

Times are arrays of seconds from the start of the stream, in order; every request has one input.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hwsim.errors import Fault, SpecError, shown
from hwsim.spec.lines import content_of, numbered

#: Most requests of one stream; a few arrays of as many numbers are all that it keeps.
MOST = 5_000_000

#: Faulty lines that are explained; of more, only the number is told.
MOST_FAULTS = 100

Floats = NDArray[np.float64]


class Arrivals(Protocol):
    """A pattern of arrivals."""

    def times(self, duration: float | None, random: np.random.Generator) -> Floats:
        """When requests arrive before the end of the stream, in order [s].

        Args:
            duration: of the stream [s]; None, where a pattern ends by itself, for all of it.

        Raises:
            SpecError: more than `MOST` requests, or a pattern without end and no duration.
        """
        ...

    def __str__(self) -> str:
        """The pattern in a few words."""
        ...


@dataclass(frozen=True)
class Constant:
    """One request every 1 / rate, the first at once.

    Args:
        rate: more than 0 [requests/s].
    """

    rate: float

    def times(self, duration: float | None, random: np.random.Generator) -> Floats:
        """See `Arrivals`."""
        expected = _expected(self.rate, duration)
        times: Floats = np.arange(math.ceil(expected) + 1) / self.rate
        return times[: np.searchsorted(times, duration or 0.0)]

    def __str__(self) -> str:
        return f"{self.rate:,g} requests/s, evenly spaced"


@dataclass(frozen=True)
class Poisson:
    """Independent arrivals: gaps are exponentially distributed.

    Args:
        rate: mean, more than 0 [requests/s].
    """

    rate: float

    def times(self, duration: float | None, random: np.random.Generator) -> Floats:
        """See `Arrivals`.

        Given their number, the arrivals of a Poisson process are independent and uniform over the time (Ross,
        Stochastic Processes, theorem 2.3.1).
        """
        expected = _expected(self.rate, duration)
        return np.sort(random.uniform(0.0, duration or 0.0, random.poisson(expected)))

    def __str__(self) -> str:
        return f"{self.rate:,g} requests/s, Poisson"


@dataclass(frozen=True, eq=False)
class Recorded:
    """Arrivals from a file.

    Args:
        recorded: in order, 0 or more [s].
        source: where they come from.
    """

    recorded: Floats
    source: str

    def times(self, duration: float | None, random: np.random.Generator) -> Floats:
        """See `Arrivals`."""
        if duration is None:
            return self.recorded.copy()
        return self.recorded[: np.searchsorted(self.recorded, duration)].copy()

    def __str__(self) -> str:
        return f"as in {self.source}"


def read_arrivals(path: str | Path) -> Recorded:
    """Arrivals from a text file with one time a line [s], or from the column `time` of a CSV table.

    Empty lines, and what follows a #, do not count.

    Raises:
        SpecError: with the line of every fault found.
    """
    file = str(path)
    rows = [(number, cells) for number, line in numbered(content_of(Path(path))) if any(cells := _cells(line))]
    column = 0
    if rows and "time" in (header := [cell.lower() for cell in rows[0][1]]):
        column = header.index("time")
        del rows[0]
    elif rows and len(rows[0][1]) > 1:
        raise SpecError([Fault("a table needs a header that names one column time", file, rows[0][0])])
    if len(rows) > MOST:
        raise SpecError([_too_many(len(rows), file)])
    times, faults = np.zeros(len(rows)), list[Fault]()
    last, before = 0.0, 0
    for index, (number, cells) in enumerate(rows):
        given = cells[column] if column < len(cells) else ""
        time = _number(given)
        if not 0 <= time < math.inf:
            faults.append(Fault(f"{shown(given)} is not a time: write seconds from 0 on, as in 0.0025", file, number))
        elif time < last:
            faults.append(Fault(f"{given} s is before line {before}: times must be in order", file, number))
        else:
            times[index], last, before = time, time, number
    if len(faults) > MOST_FAULTS:
        faults[MOST_FAULTS:] = [Fault(f"{len(faults) - MOST_FAULTS} more lines are faulty", file)]
    if faults:
        raise SpecError(faults)
    return Recorded(times, file)


def _cells(line: bytes) -> list[str]:
    return [cell.strip(' \t\r"') for cell in line.decode(errors="replace").partition("#")[0].split(",")]


def _number(text: str) -> float:
    """A number; NaN for whatever is none."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def _expected(rate: float, duration: float | None) -> float:
    """Requests to be expected of a rate."""
    if duration is None:
        raise SpecError([Fault("arrivals at a rate need a duration", field="--duration")])
    if rate * duration > MOST:
        raise SpecError([_too_many(rate * duration, None)])
    return rate * duration


def _too_many(count: float, file: str | None) -> Fault:
    return Fault(f"{count:,.0f} requests are more than {MOST:,}: make the stream shorter", file)
