"""When a vote is decided before every member has run.

A majority vote is decided as soon as the members still to run cannot change it: the class in the lead is ahead of every
other by more votes than are left. With three members the third need not run when the first two agree.

Agreement is a matter of data: how often two members give the same class is measured, not computed from a chip. Two
members and a vote of three need nothing else. With more members, what the rest does after some have agreed is modelled:
on every input there is one class that each member gives with probability q, *independently of the others*, and each of
the C - 1 others with (1 - q) / (C - 1), so that two members agree with probability

    P = q^2 + (1 - q)^2 / (C - 1).

Real members err on the same inputs, so that agreement comes in clusters: above three members the model says too seldom
that all agree, and the time saved is an estimate.

Robustness: a decided vote is the whole vote's answer, so an exit neither adds nor removes an adversarial example. But

*   whoever fools the first members decides: with three members two that err together, such as two copies of the lowest
    precision, and the one in full precision is never asked. That holds for the whole vote too; the order in which
    members run only says who is left out, and with it any sign of disagreement that it would have given;
*   the time of an answer tells whoever waits for it whether the members agreed, and so how near a decision boundary is;
*   an adversary can make members disagree to slow the chip down (Hong, Kaya, Modoranu, Dumitras, A Panda? No, It's a
    Sloth, ICLR 2021): agreement measured on clean inputs gives no latency under attack.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from hwsim.errors import Fault, SpecError

#: Inputs whose votes are drawn at a time.
CHUNK = 1 << 16


def earliest(members: int) -> int:
    """After how many members a vote can be decided at the earliest: more than half."""
    return members // 2 + 1


def common_answer(agreement: float, classes: int) -> float:
    """Probability q that a member gives an input's commonest class, from that of two members agreeing.

    Raises:
        SpecError: two members agree less often than by chance, 1 / classes, or more often than always.
    """
    if not 1 / classes <= agreement <= 1:
        raise SpecError([Fault(
            f"{agreement:g} is no agreement of two members: answers at random agree in 1 of {classes} inputs",
            field="--early-exit",
        )])  # fmt: skip
    if classes == 1:
        return 1.0
    # q^2 + (1 - q)^2 / (C - 1) = P, the larger root of C q^2 - 2 q + 1 - P (C - 1) = 0
    return (1 + math.sqrt(max(0.0, (classes - 1) * (classes * agreement - 1)))) / classes


def decided_after(
    inputs: int, members: int, agreement: float, classes: int, random: np.random.Generator
) -> NDArray[np.int16]:
    """After how many members the vote on each input is decided.

    Args:
        agreement: probability that two members give the same class.
        classes: that there are.
    """
    answer = common_answer(agreement, classes)
    after = np.empty(inputs, np.int16)
    for start in range(0, inputs, CHUNK):
        shape = min(CHUNK, inputs - start), members
        votes = np.where(random.random(shape) < answer, 0, random.integers(1, max(2, classes), shape))
        after[start : start + shape[0]] = decided(votes)
    return after


def decided(votes: NDArray[np.int64]) -> NDArray[np.int16]:
    """After how many members each vote is decided; after all where it is close to the end.

    Args:
        votes: class that each member gives; one row an input, members in the order in which they run.
    """
    inputs, members = votes.shape
    after = np.full(inputs, members, np.int16)
    for count in range(members - 1, earliest(members) - 1, -1):
        cast = votes[:, :count]
        # Votes for the class of each member, and for the class in the lead.
        shares = (cast[:, :, None] == cast[:, None, :]).sum(axis=2)
        lead = shares.max(axis=1)
        leader = np.take_along_axis(cast, shares.argmax(axis=1)[:, None], axis=1)
        second = np.where(cast == leader, 0, shares).max(axis=1)
        after[lead - second > members - count] = count
    return after
