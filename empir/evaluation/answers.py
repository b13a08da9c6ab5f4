"""What an ensemble answered, and the worst of it sample by sample. NumPy alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from empir.evaluation.accounting import Chances, Classes, right

Distances = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Answers:
    """An ensemble's answers to some images, clean or attacked.

    Args:
        decisions: the ensemble's classes [n].
        members: every member's classes [members, n].
        linf, l2, l0: distances from the clean images, in pixels of [0, 1]; l0 counts changed pixels [n].
        seconds: what the attack took when it was made [s].
    """

    decisions: Classes
    members: Classes
    linf: Distances
    l2: Distances
    l0: Distances
    seconds: float

    def chances(self, labels: Classes, drawn: bool) -> Chances:
        """Chance of a right answer [n]; `drawn`: one member is drawn for every inference."""
        return right(labels, self.members if drawn else self.decisions)

    def distances(self, norm: Literal["linf", "l2", "l0"]) -> Distances:
        """Distances from the clean images in one norm [n]."""
        return {"linf": self.linf, "l2": self.l2, "l0": self.l0}[norm]


def joined(parts: Iterable[Answers]) -> Answers:
    """Answers to all images from those to a few at a time."""
    every = list(parts)
    return Answers(
        decisions=np.concatenate([part.decisions for part in every]),
        members=np.concatenate([part.members for part in every], axis=1),
        linf=np.concatenate([part.linf for part in every]),
        l2=np.concatenate([part.l2 for part in every]),
        l0=np.concatenate([part.l0 for part in every]),
        seconds=sum(part.seconds for part in every),
    )


@dataclass(frozen=True, eq=False)
class Worst:
    """The worst case of every sample over the attacks so far: what `standard` accounting counts.

    Args:
        labels: true classes [n].
        chances: chance of a right answer [n].
        decisions: answer in the worst case [n].
        distances: how far from the clean image it is; 0 where no attack succeeded [n].
        drawn: one member is drawn for every inference.
    """

    labels: Classes
    chances: Chances
    decisions: Classes
    distances: Distances
    drawn: bool

    @staticmethod
    def clean(labels: Classes, answers: Answers, drawn: bool) -> Worst:
        """Before any attack."""
        return Worst(
            labels, answers.chances(labels, drawn), answers.decisions, np.zeros(len(labels), np.float32), drawn
        )

    @property
    def standing(self) -> Classes:
        """Samples that can still be answered right, as indices."""
        return np.flatnonzero(self.chances > 0)

    def after(self, samples: Classes, answers: Answers, norm: Literal["linf", "l2", "l0"] = "linf") -> Worst:
        """After one more attack.

        Args:
            samples: indices of those that were attacked.
            answers: to the attacked images of these.
            norm: of the distances.
        """
        chances = answers.chances(self.labels[samples], self.drawn)
        worse = chances < self.chances[samples]
        at = samples[worse]
        return replace(
            self,
            chances=_put(self.chances, at, chances[worse]),
            decisions=_put(self.decisions, at, answers.decisions[worse]),
            distances=_put(self.distances, at, answers.distances(norm)[worse]),
        )


def _put(before: NDArray[Any], at: Classes, values: NDArray[Any]) -> NDArray[Any]:
    after = before.copy()
    after[at] = values
    return after
