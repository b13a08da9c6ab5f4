"""What a sweep of this folder's space says, in tables: `python studies/codesign/findings.py SWEEP`.

EMPIR's ensembles are those with at least one full-precision member and one of low precision.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pandas as pd

from hwsim.search.results.dataset import read_counts

#: The chip that exists.
BUILT = {
    "SMs": "68",
    "L2": "5.5 MiB",
    "DRAM": "616 GB/s",
    "launch": "5 us",
    "reconfiguration": "0 cycles",
    "modes": "down to 4 bits, as built",
}


def chips(counts: pd.DataFrame, **knobs: str) -> pd.DataFrame:
    """Rows of the chips with these values of the knobs."""
    for name, value in knobs.items():
        counts = counts[counts[f"knob: {name}"].astype(str) == value]
    return counts


def row(counts: pd.DataFrame) -> dict[str, object]:
    """Designs, how many of them are within the limits, and the one that takes least time."""
    return {
        "designs": f"{counts['designs'].sum():,}",
        "Equation 6": f"{counts['within_equation6'].sum():,}",
        "time": f"{counts['within time_overhead'].sum():,}",
        "storage": f"{counts['within storage_overhead'].sum():,}",
        "both": f"{counts['cost_feasible'].sum():,}",
        "least time": f"{100 * counts['least time_overhead'].min():+.1f} %",
    }


def by_size(counts: pd.DataFrame) -> Iterator[dict[str, object]]:
    """Every M and N."""
    for (full, low), own in counts.groupby(["M", "N"]):
        yield {"M": full, "N": low, **row(own)}


def by_change(counts: pd.DataFrame) -> Iterator[dict[str, object]]:
    """One knob turned, all others as built."""
    for name, built in BUILT.items():
        for value in counts[f"knob: {name}"].astype(str).unique():
            own = chips(counts, **{**BUILT, name: value})
            yield {"knob": name, "value": value + (" (built)" if value == built else ""), **row(own)}


def by_launch(counts: pd.DataFrame) -> Iterator[dict[str, object]]:
    """Launch and modes turned together."""
    for modes in counts["knob: modes"].astype(str).unique():
        for launch in counts["knob: launch"].astype(str).unique():
            own = chips(counts, **{**BUILT, "modes": modes, "launch": launch})
            yield {"modes": modes, "launch": launch, **row(own)}


def show(title: str, rows: Iterator[dict[str, object]]) -> None:
    """Print a table."""
    print(f"{title}\n\n{pd.DataFrame(rows).to_string(index=False)}\n")


def main(folder: str) -> None:
    """Print everything."""
    counts = read_counts(folder)
    if "knob: launch" not in counts:  # played.yaml: one chip, several batches
        for (network, batch), own in counts.groupby(["network", "batch"], observed=True):
            show(f"{network}, batch {batch}", by_size(own[(own["M"] > 0) & (own["N"] > 0)]))
        return
    for network, own in counts.groupby("network", observed=True):
        empir = own[(own["M"] > 0) & (own["N"] > 0)]
        some = empir.groupby("chip", observed=True)["cost_feasible"].sum()
        print(f"{network}: {own['designs'].sum():,} designs on {own['chip'].nunique():,} chips; EMPIR's ensembles:")
        print(f"{(some > 0).sum():,} chips run some of them within both limits\n")
        show("The chip as built, by M and N", by_size(chips(own, **BUILT)))
        show("One thing changed, EMPIR's ensembles", by_change(empir))
        show("Launch and modes, EMPIR's ensembles", by_launch(empir))


if __name__ == "__main__":
    main(sys.argv[1])
