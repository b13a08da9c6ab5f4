"""Whether a robustness is real, in one sentence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from empir.evaluation.accounting import Chances, Classes, accuracy, interval
from empir.evaluation.gates import Gate, failed
from empir.evaluation.words import interval_text, percent
from hwsim.value import Value

Judgement = Literal["real", "partly real", "not real"]

#: Share of what plain attacks leave standing that must survive the adaptive ones.
REAL, PARTLY = 0.9, 0.5


class Verdict(Value):
    """What to believe.

    real: adaptive attacks leave at least 90 % of what the plain ones leave, and every gate holds.
    partly real: they leave at least half, or 90 % while a gate fails.
    not real: less; or so little that an answer which ignores the image, the commonest class, would be as robust.
    """

    judgement: Judgement
    sentence: str
    ignorant: float
    """Share of the commonest class: the accuracy, under any attack, of always answering with it."""


def verdict(labels: Classes, plain: Chances, adaptive: Chances, gates: Sequence[Gate], drawn: bool = False) -> Verdict:
    """Judge what plain attacks leave standing by what adaptive ones leave of it.

    Args:
        labels: true classes [samples].
        plain, adaptive: worst case over the plain attacks, and over all [samples].
        gates: all of them.
        drawn: chances are expectations over the member that is drawn.
    """
    claimed, left = accuracy(plain), accuracy(adaptive)
    ignorant = float(np.bincount(labels).max()) / labels.size

    def keeps(share: float) -> bool:
        return left >= share * claimed - 1e-9

    broken = failed(gates)
    judgement: Judgement = "not real"
    reason = ""
    if interval(adaptive)[0] <= ignorant:
        reason = f"; always answering with the commonest class is as robust ({percent(ignorant)})"
    elif keeps(REAL) and not broken:
        judgement = "real"
    elif keeps(PARTLY):
        judgement = "partly real"
    expected = ", expected over the member drawn," if drawn else ""
    doubt = f"; {len(broken)} of {len(gates)} gates fail" if broken else ""
    sentence = (
        f"The robustness is {judgement}: of {labels.size} samples plain gradient attacks leave {_share(plain)} right"
        f"{expected} and adaptive attacks {_share(adaptive)}{reason}{doubt}."
    )
    return Verdict(judgement=judgement, sentence=sentence, ignorant=ignorant)


def _share(chances: Chances) -> str:
    return f"{percent(accuracy(chances))} (95 % interval {interval_text(interval(chances))})"
