"""Who may still reach the front, after some samples of each: successive halving that drops nobody who might.

Candidates are attacked on few samples; whoever cannot reach the front any more, or surely breaks a limit, is out; the
others are attacked on four times as many, and so on. What decides are intervals, not what was counted:

* Costs are known. A true accuracy lies in its interval, for all candidates, both accuracies and all rounds at once,
  with a probability of at least 95 %: of the 5 %, round r gets 1/(r (r + 1)), which adds up to one over all rounds, and
  each of its intervals an equal share. They are Clopper and Pearson's, which keep their promise for any number of
  samples and any accuracy; Wilson's, as measurements have them, do not at such levels close to 0 and 1.
* A candidate is out where another beats it even if that one's accuracies are at the lower ends of their intervals and
  its own at the upper ends. If all intervals are right, such a candidate is not on the true front.
* It is out, too, where its clean loss is too large with the baseline at the lower end and itself at the upper.

So the true front, of those within the limits, survives every round with a probability of at least 95 %, if the first
samples of a test split are no easier or harder than the rest.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

#: Probability with which anything at all is dropped that belongs to the front.
ERROR = 0.05

#: Samples of a round by those of the round before.
FACTOR = 4

#: Relative slack of a limit: exactly the limit is within it, as everywhere.
TOLERANCE = 1e-9

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Limits:
    """What accuracies are allowed to be; None where anything is."""

    clean_loss: float | None = None
    clean_accuracy: float | None = None
    robust_accuracy: float | None = None


@dataclass(frozen=True)
class Bounds:
    """Intervals of the accuracies, lower and upper ends: shapes [candidates]; unknown ones are 0 to 1."""

    clean_low: Floats
    clean_high: Floats
    robust_low: Floats
    robust_high: Floats


def schedule(first: int, most: int | None) -> Iterator[int]:
    """Samples of every round: the first, then four times as many, at last `most`; without end where that is None."""
    samples = first
    while most is None or samples < most:
        yield samples
        samples *= FACTOR
    yield most


def level(number: int, candidates: int) -> float:
    """Probability allowed to each interval of a round not to hold the truth.

    Args:
        number: of the round, from 1.
        candidates: how many there are, each with two intervals.
    """
    return ERROR / (number * (number + 1)) / (2 * max(candidates, 1))


def interval(shares: ArrayLike, samples: ArrayLike, error: float) -> tuple[Floats, Floats]:
    """Clopper and Pearson's interval of binomial shares: holds the truth with a probability of at least 1 - error.

    Where a member is drawn for every inference a share may stand for no whole number of samples, which is rounded away
    from the middle of the interval.

    Args:
        shares: what was right; NaN where nothing was counted: 0 to 1.
        samples: how many were asked.
    """
    from scipy.special import betaincinv

    share, asked = np.broadcast_arrays(np.asarray(shares, dtype=float), np.asarray(samples, dtype=float))
    known = np.isfinite(share) & (asked > 0)
    right = np.where(known, share * asked, 0.0)
    fewest, most = np.floor(right + 1e-6), np.ceil(right - 1e-6)
    total = np.where(known, asked, 1.0)
    with np.errstate(invalid="ignore"):
        low = betaincinv(np.maximum(fewest, 1.0), total - fewest + 1, error / 2)
        high = betaincinv(most + 1, np.maximum(total - most, 1.0), 1 - error / 2)
    return np.where(known & (fewest > 0), low, 0.0), np.where(known & (most < total), high, 1.0)


def bounds(clean: ArrayLike, robust: ArrayLike, samples: ArrayLike, number: int) -> Bounds:
    """Intervals of all candidates in a round.

    Args:
        clean, robust: shares that were right [candidates]; NaN where nothing was measured.
        samples: how many each was measured on [candidates].
        number: of the round, from 1.
    """
    error = level(number, np.size(clean))
    return Bounds(*interval(clean, samples, error), *interval(robust, samples, error))


def alive(costs: Floats, known: Bounds, limits: Limits, baseline: int | None = None) -> Flags:
    """Who may still be on the front of the costs and both accuracies, within the limits.

    A candidate is on the front in any of several settings (chips, batches); each is a comparison of its own.

    Args:
        costs: the smaller the better; infinite in settings that a candidate does not belong to: shape [candidates,
            settings, objectives].
        known: what is known of the accuracies.
        baseline: which candidate the clean loss is against; unknown if None.
    """
    return possible(known, limits, baseline) & ~beaten(costs, known)


def possible(known: Bounds, limits: Limits, baseline: int | None = None) -> Flags:
    """Who may still be within the limits [candidates]."""
    inside: Flags = np.ones(len(known.clean_low), dtype=bool)
    if limits.clean_loss is not None and baseline is not None:
        least = known.clean_low[baseline] - known.clean_high
        least[baseline] = 0.0
        inside &= least <= limits.clean_loss + TOLERANCE * (1 + abs(limits.clean_loss))
    if limits.clean_accuracy is not None:
        inside &= known.clean_high >= limits.clean_accuracy * (1 - TOLERANCE)
    if limits.robust_accuracy is not None:
        inside &= known.robust_high >= limits.robust_accuracy * (1 - TOLERANCE)
    return inside


def beaten(costs: Floats, known: Bounds) -> Flags:
    """Who is beaten for certain in every setting that it belongs to [candidates]."""
    out: Flags = np.ones(len(costs), dtype=bool)
    worst = np.stack([known.clean_low, known.robust_low], axis=1)
    best = np.stack([known.clean_high, known.robust_high], axis=1)
    at_least: Flags = np.all(worst[:, None] >= best[None], axis=-1)  # [who, whom]
    better: Flags = np.any(worst[:, None] > best[None], axis=-1)
    for setting in range(costs.shape[1]):
        own: Floats = costs[:, setting]
        there: Flags = np.all(np.isfinite(own), axis=-1)
        cheap: Flags = np.all(own[:, None] <= own[None], axis=-1) & there[:, None]
        cheaper: Flags = np.any(own[:, None] < own[None], axis=-1)
        beats: Flags = at_least & cheap & (better | cheaper)
        out &= beats.any(axis=0) | ~there
    return out
