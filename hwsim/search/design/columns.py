"""What is known of a design: a name, a unit and a meaning for every column of numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Column:
    """One quantity.

    Args:
        name: as space files and data sets have it.
        unit: empty for a ratio, a count or a verdict.
        meaning: in a sentence.
        better: which values are; None where neither is.
        costs: whether it is known without any measurement.
    """

    name: str
    unit: str
    meaning: str
    better: Literal["less", "more"] | None
    costs: bool = True


COLUMNS: dict[str, Column] = {
    column.name: column
    for column in (
        Column("time_overhead", "", "Time beyond one full-precision network's on the same chip: 0.25 is 25 %.", "less"),
        Column("storage_overhead", "", "Stored parameters beyond one full-precision network's.", "less"),
        Column("energy_overhead", "", "Energy beyond one full-precision network's, if the chip prices any.", "less"),
        Column("seconds", "s", "One inference of one batch; expected, where one member is drawn.", "less"),
        Column("energy_joules", "J", "Energy of that inference.", "less"),
        Column("storage_bytes", "B", "Stored parameters of all members.", "less"),
        Column("baseline_seconds", "s", "The same inference by one full-precision network.", "less"),
        Column("area", "m2", "Of the chip, if its node is given.", "less"),
        Column("members", "", "Members of the ensemble, M + N.", "less"),
        Column("low_precision", "", "Low-precision members, N.", None),
        Column("member_bits", "bit", "Weight and activation bits of all members together.", "less"),
        Column("equation6_time", "", "Time overhead by the paper's first sum.", "less"),
        Column("equation6_storage", "", "Storage overhead by the paper's second sum.", "less"),
        Column("clean_accuracy", "", "Measured without an attack.", "more", costs=False),
        Column("clean_loss", "", "Clean accuracy below one full-precision network's.", "less", costs=False),
        Column("robust_accuracy", "", "Measured under attack.", "more", costs=False),
        Column("robust_low", "", "Lower end of its 95 % interval.", "more", costs=False),
        Column("robust_high", "", "Upper end of its 95 % interval.", "more", costs=False),
        Column("robust_samples", "", "Samples that it was measured on.", None, costs=False),
        Column("cost_feasible", "", "Whether every constraint holds that needs no measurement.", "more"),
        Column("feasible", "", "Whether every constraint holds; none does of what was not measured.", "more"),
    )
}
