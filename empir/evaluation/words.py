"""Numbers as people read them."""

from __future__ import annotations


def percent(share: float) -> str:
    """`13.4 %`."""
    return f"{100 * share:.1f} %"


def interval_text(bounds: tuple[float, float]) -> str:
    """`11.6 to 15.3 %`."""
    low, high = bounds
    return f"{100 * low:.1f} to {percent(high)}"
