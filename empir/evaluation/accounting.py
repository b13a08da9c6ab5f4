"""What counts as robust. Arrays in, arrays out.

Two ways to count are in use, and they differ by tens of points on the same adversarial examples:

* `standard`: a sample counts only if it is answered right when clean *and* after every attack of the set.
* `released`: the share of all samples that are answered right after one attack, as the code released with EMPIR counts
  it (Sen et al., ICLR 2020). A sample that is wrong when clean counts if the attack happens to put it right, and no
  attack is held against another. What is fooled is what the attack differentiates: Carlini and Wagner's attack ends at
  the nearest image that the full-precision member gets wrong, whatever the ensemble says to it.

Answers come as the chance of a right one: 0 or 1 where the decision is deterministic, the share of members that are
right where one of them is drawn for every inference, so that what is counted is the expectation over the draws.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

Accounting = Literal["standard", "released"]
Chances = NDArray[np.float64]
Classes = NDArray[np.int64]

#: Of every interval.
CONFIDENCE = 0.95

#: With more classes than this, nobody reads a confusion matrix.
MOST_CLASSES = 100


def right(labels: Classes, decisions: Classes) -> Chances:
    """Chance of a right answer [samples].

    Args:
        labels: true classes [samples].
        decisions: [samples], or [members, samples] where one member is drawn for each inference.
    """
    hits = (decisions == labels).astype(np.float64)
    return hits if hits.ndim == 1 else np.asarray(hits.mean(axis=0))


def standard(clean: Chances, attacked: Chances) -> Chances:
    """Chance of a right answer in the worst case [samples].

    Args:
        clean: chance on the clean image [samples].
        attacked: chance after each attack [attacks, samples].
    """
    return np.asarray(np.minimum(clean, attacked.min(axis=0, initial=1.0)))


def accuracy(chances: Chances) -> float:
    """Expected share of right answers.

    Raises:
        ValueError: there are no samples.
    """
    if not chances.size:
        raise ValueError("no samples, so no accuracy")
    return float(chances.mean())


def interval(chances: Chances) -> tuple[float, float]:
    """Wilson's 95 % interval of an accuracy.

    It is meant for answers that are right or wrong. Chances between the two vary less, so that it is too wide for
    them, never too narrow; their sum is rounded.
    """
    found = binomtest(round(accuracy(chances) * chances.size), chances.size).proportion_ci(CONFIDENCE, "wilson")
    return max(0.0, float(found.low)), min(1.0, float(found.high))


def confusion(labels: Classes, decisions: Classes, classes: int) -> NDArray[np.int64] | None:
    """How often which class was taken for which [true, decided]; none for too many classes to be read."""
    if classes > MOST_CLASSES:
        return None
    counts = np.bincount(labels * classes + decisions, minlength=classes * classes)
    return np.asarray(counts, dtype=np.int64).reshape(classes, classes)


def median_distortion(clean: Chances, attacked: Chances, distortions: NDArray[Any]) -> float | None:
    """Median distance between image and adversarial example where the attack took a right answer away.

    Args:
        clean, attacked: chance of a right answer before and after [samples].
        distortions: distance in the attack's norm, in pixels of [0, 1] [samples].

    Returns:
        None where no attack succeeded.
    """
    fooled = distortions[attacked < clean]
    return float(np.median(fooled)) if fooled.size else None
