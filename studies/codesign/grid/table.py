"""Prints what measurements say by M and N, what nobody measured left out: `python table.py measurements.jsonl`."""

from __future__ import annotations

import sys
from collections.abc import Iterable

import hwsim

FULL = (32, 32)

#: Title, attack and how it is counted.
TABLES = (
    ("right when clean [%]", "none", "standard"),
    ("right after FGSM, BIM and PGD, each along the paper's gradient [%]", "worst_case", "standard"),
    ("right after every attack of `empir verify` [%]", "adaptive", "standard"),
)


def cells(measurements: Iterable[hwsim.Measurement], attack: str, accounting: str) -> dict[tuple[int, int], str]:
    """Robust accuracy and its 95 % interval by M and N [%]."""
    found = {}
    for one in measurements:
        if (one.attack, one.accounting) == (attack, accounting):
            full = sum((member.weights, member.activations) == FULL for member in one.members)
            low, high = (f"{100 * end:.1f}" for end in one.interval)
            found[full, len(one.members) - full] = f"{100 * one.robust_accuracy:.1f} [{low}, {high}]"
    return found


def main() -> None:
    measurements = hwsim.read_measurements(sys.argv[1])
    for title, attack, accounting in TABLES:
        found = cells(measurements, attack, accounting)
        if not found:
            continue
        print(f"{title}\n")
        print("| M \\ N |" + "".join(f" {n} |" for n in range(5)))
        print("|---|" + 5 * "--:|")
        for m in (2, 1, 0):
            print(f"| {m} |" + "".join(f" {found.get((m, n), '–')} |" for n in range(5)))
        print()


if __name__ == "__main__":
    main()
