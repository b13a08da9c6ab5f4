"""A stream of requests on the chip: they arrive, wait in one queue, first come first served, and are answered."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hwsim.simulate.stream.requests import Floats
from hwsim.simulate.stream.service import Choice, Service

if TYPE_CHECKING:
    from simpy import Event

#: Called with the number of requests answered and their total.
Progress = Callable[[int, int], None]

#: Rounds between two calls of it.
EVERY = 4096


@dataclass(frozen=True, eq=False)
class Log:
    """What happened to every request, in order of arrival, and in every round.

    Args:
        arrived, started, ended: when a request came, left the queue, and was answered [s].
        first: number of the first request of every round and, at the end, of all requests.
        chosen: index of what every round played, in `choices`.
    """

    arrived: Floats
    started: Floats
    ended: Floats
    first: NDArray[np.int64]
    chosen: NDArray[np.int32]
    choices: tuple[Choice, ...]

    @property
    def rounds(self) -> int:
        """That were played."""
        return len(self.chosen)


def serve(times: Floats, service: Service, progress: Progress | None = None) -> Log:
    """Play a stream to its last answer.

    Whenever the chip is free it takes the requests that have waited longest, as many as one round of the service holds;
    a round that has begun takes no more. Whether a request that comes in the very moment is taken is left open.

    Args:
        times: of arrival, in order [s].
    """
    from simpy import Environment

    count = len(times)
    arrived, started, ended = np.empty(count), np.empty(count), np.empty(count)
    first, chosen = np.zeros(count + 1, np.int64), np.empty(count, np.int32)
    seconds: dict[Choice, float] = {}
    numbers: dict[Choice, int] = {}
    environment = Environment()
    here = rounds = 0
    wake = environment.event()

    def arrive() -> Generator[Event, None, None]:
        nonlocal here
        for index in range(count):
            time = float(times[index])
            if time > environment.now:
                yield environment.timeout(time - environment.now)
            arrived[here] = environment.now
            here += 1
            if not wake.triggered:
                wake.succeed()

    def work() -> Generator[Event, None, None]:
        nonlocal rounds, wake
        done, mode = 0, None
        while done < count:
            if here == done:
                wake = environment.event()
                yield wake
            taken = min(here - done, service.limit)
            choice = service.choose(done, taken, mode)
            if choice not in seconds:
                seconds[choice], numbers[choice] = service.seconds(choice), len(numbers)
            chosen[rounds] = numbers[choice]
            started[done : done + taken] = environment.now
            yield environment.timeout(seconds[choice])
            ended[done : done + taken] = environment.now
            done, mode, rounds = done + taken, service.ends_in(choice), rounds + 1
            first[rounds] = done
            if progress and rounds % EVERY == 0:
                progress(done, count)

    environment.process(arrive())
    environment.process(work())
    environment.run()
    return Log(arrived, started, ended, first[: rounds + 1].copy(), chosen[:rounds].copy(), tuple(numbers))
