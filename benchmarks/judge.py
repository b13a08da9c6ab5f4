"""Figures of the benchmarks and their goals."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_benchmark.fixture import BenchmarkFixture


@dataclass(frozen=True)
class Line:
    """One figure.

    Args:
        goal: None where there is none.
        at_least: whether more is better.
    """

    what: str
    measured: float
    unit: str
    goal: float | None
    at_least: bool
    note: str

    @property
    def cells(self) -> tuple[str, ...]:
        """What is printed of it."""
        measured = f"{self.measured:.3g} {self.unit}"
        if self.goal is None:
            return self.what, measured, "", "", self.note
        goal = f"{'≥' if self.at_least else '≤'} {self.goal:g} {self.unit}"
        return self.what, measured, goal, f"{self.measured / self.goal:.2f}", self.note


@dataclass(frozen=True)
class Judge:
    """Writes down figures of one benchmark."""

    benchmark: BenchmarkFixture
    lines: list[Line]

    @property
    def seconds(self) -> float:
        """Median of the rounds [s]; NaN with --benchmark-disable."""
        return float("nan") if self.benchmark.stats is None else self.benchmark.stats["median"]

    def __call__(
        self,
        what: str,
        measured: float,
        unit: str,
        *,
        at_most: float | None = None,
        at_least: float | None = None,
        note: str = "",
    ) -> None:
        goal = at_most if at_least is None else at_least
        self.lines.append(Line(what, measured, unit, goal, at_least is not None, note))
        self.benchmark.extra_info[what] = {"measured": measured, "unit": unit, "goal": goal, "note": note}
