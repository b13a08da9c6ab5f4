"""What the chip does for the requests that it takes from the queue.

A service takes up to `limit` waiting requests at once and plays a round for them. Which one may depend on the requests:
on after how many members their votes are decided (`early_exit`), or on the member that is drawn for them (`drawn`).
Where rounds differ, the mode switch at the start of one follows from the round before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hwsim.errors import Infeasible
from hwsim.simulate.members.schedule import Round, Stage, switched
from hwsim.simulate.stream.early_exit import earliest


class Choice(NamedTuple):
    """Which round is played, and in what mode the datapath is before it; equal choices take the same time."""

    size: int
    outcome: int
    before: str | None


@dataclass(frozen=True, eq=False)
class Service:
    """Rounds that answer requests.

    Args:
        sizes: for every number of inputs that there is a round for, in order, the round of every outcome.
        clock: of the chip [Hz].
        outcomes: that each request asks for, in order of arrival; none where every round is the same.
        decides: the outcome of a round is its first request's, or the largest of its requests'.
    """

    sizes: tuple[tuple[Round, ...], ...]
    clock: float
    outcomes: NDArray[np.int16] | None = None
    decides: Literal["first", "largest"] = "first"

    @property
    def limit(self) -> int:
        """Most requests of one round."""
        return self.sizes[-1][0].inputs

    @cached_property
    def _size(self) -> tuple[int, ...]:
        """Index of the smallest round that holds so many requests."""
        inputs = [rounds[0].inputs for rounds in self.sizes]
        return tuple(next(i for i, most in enumerate(inputs) if most >= count) for count in range(self.limit + 1))

    def choose(self, first: int, count: int, before: str | None) -> Choice:
        """The round for `count` requests from number `first` on, after a round that ended in the mode `before`."""
        if self.outcomes is None:
            return Choice(self._size[count], 0, None)
        asked = self.outcomes[first : first + count]
        return Choice(self._size[count], int(asked[0] if self.decides == "first" else asked.max()), before)

    def round(self, choice: Choice) -> Round:
        """What is played."""
        found = self.sizes[choice.size][choice.outcome]
        if choice.before is None:
            return found
        (lane,) = found.lanes
        return replace(found, lanes=(switched(lane, found.reconfiguration, choice.before),))

    def seconds(self, choice: Choice) -> float:
        """[s]."""
        return self.round(choice).cycles / self.clock

    def ends_in(self, choice: Choice) -> str | None:
        """Mode of the datapath at the end of a round; None where it matters to nobody, or nothing was multiplied."""
        if self.outcomes is None:
            return None
        return next((s.mode for s in reversed(self.sizes[choice.size][choice.outcome].stages) if s.mode), choice.before)

    @property
    def capacity(self) -> float:
        """Requests that are answered in a second if enough are waiting for full rounds [1/s].

        With outcomes, for independent rounds with the frequencies of this stream's requests.
        """
        if self.outcomes is None or not self.outcomes.size:
            return _rate(self.limit, self.seconds(Choice(self._size[self.limit], 0, None)))
        frequencies = np.bincount(self.outcomes, minlength=len(self.sizes[-1])) / self.outcomes.size
        if self.decides == "largest":
            frequencies = np.diff(np.cumsum(frequencies) ** self.limit, prepend=0.0)
        last = len(self.sizes) - 1
        shares = [(Choice(last, outcome, None), float(share)) for outcome, share in enumerate(frequencies) if share]
        mean = sum(
            earlier * share * self.seconds(choice._replace(before=self.ends_in(previous)))
            for previous, earlier in shares
            for choice, share in shares
        )
        return _rate(self.limit, mean)


def whole(rounds: Sequence[Round], clock: float) -> Service:
    """Every request by all members.

    Args:
        rounds: for different numbers of inputs; requests take the smallest round that holds them.
        clock: of the chip [Hz].
    """
    return Service(tuple((round,) for round in sorted(rounds, key=lambda round: round.inputs)), clock)


def drawn(rounds: Sequence[Round], clock: float, requests: int, random: np.random.Generator) -> Service:
    """Every round by one member, each as likely as any other.

    Args:
        rounds: of each member, for equally many inputs.
        requests: in the stream.
    """
    return Service((tuple(rounds),), clock, random.integers(0, len(rounds), requests, np.int16), "first")


def exiting(rounds: Sequence[Round], clock: float, after: NDArray[np.int16]) -> Service:
    """Every request by as many members as decide its vote; a round ends when all of its votes are decided.

    From the earliest member on that could decide, the combiner counts the votes after each member. So an exit saves the
    members that are left out, and costs a run of the combiner for each count that decides nothing.

    Args:
        rounds: for different numbers of inputs, the members of each one after another; a member runs for all inputs.
        after: members that decide each request's vote.

    Raises:
        Infeasible: members run side by side, so that none is left out.
    """
    if any(len(round.lanes) != 1 for round in rounds):
        message = "members run side by side, and none waits for what the others say"
        raise Infeasible(message, constraint="early exit")
    members = len(rounds[0].members)
    ordered = sorted(rounds, key=lambda round: round.inputs)
    return Service(
        tuple(tuple(_until(round, count) for count in range(members + 1)) for round in ordered), clock, after, "largest"
    )


def _until(round: Round, count: int) -> Round:
    """A round that ends when so many members have run."""
    (lane,) = round.lanes
    last = {stage.member: index for index, stage in enumerate(lane)}
    first_count = earliest(len(last))
    stages, done = list[Stage](), 0
    for index, stage in enumerate(lane):
        if done == count:
            break
        stages.append(stage)
        if last[stage.member] == index:
            done += 1
            if first_count <= done < count:
                stages += round.tail
    return replace(round, lanes=(switched(stages, round.reconfiguration),))


def _rate(inputs: int, seconds: float) -> float:
    return inputs / seconds if seconds else float("inf")
