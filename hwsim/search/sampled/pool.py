"""Evaluations in hand: in this process, or on the workers of a Dask scheduler, each given back when it is done."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from secrets import token_hex
from typing import Any, Protocol

from hwsim.errors import HwsimError
from hwsim.search.sampled.outcomes import Outcome
from hwsim.search.sweeps.cluster import local, remote

Job = Callable[[], Outcome]


class Pool(Protocol):
    """Takes jobs by number, and gives back what they found."""

    @property
    def size(self) -> int:
        """Jobs that are worth having in hand."""

    def start(self, number: int, job: Job) -> None:
        """Take a job."""

    def finish(self) -> tuple[int, Outcome | None]:
        """Whatever is done next; None where it ended every process that tried."""


@contextmanager
def pool(jobs: int, scheduler: str | None) -> Iterator[Pool]:
    """This process for one job, as many worker processes for more, or the workers of a scheduler.

    Raises:
        HwsimError: Dask is not installed, or the scheduler does not answer.
    """
    if scheduler is None and jobs == 1:
        yield _Here()
        return
    with remote(scheduler) if scheduler else local(jobs) as client:
        there = _There(client)
        try:
            yield there
        finally:
            there.drop()


class _Here:
    def __init__(self) -> None:
        self.size = 1
        self._waiting: deque[tuple[int, Job]] = deque()

    def start(self, number: int, job: Job) -> None:
        self._waiting.append((number, job))

    def finish(self) -> tuple[int, Outcome | None]:
        number, job = self._waiting.popleft()
        return number, job()


class _There:
    def __init__(self, client: Any) -> None:
        import distributed

        self._client, self._killed = client, distributed.KilledWorker
        self._done: Any = distributed.as_completed(loop=client.loop)
        self._numbers: dict[Any, int] = {}

    @property
    def size(self) -> int:
        """One for each thread of the workers: what a search learns meanwhile is worth more than a full queue."""
        return int(max(1, sum(self._client.nthreads().values())))

    def start(self, number: int, job: Job) -> None:
        future = self._client.submit(job, key=f"hwsim-trial-{number}-{token_hex(4)}", pure=False)
        self._numbers[future] = number
        self._done.add(future)

    def finish(self) -> tuple[int, Outcome | None]:
        future = next(self._done)
        number = self._numbers.pop(future)
        if future.status == "finished":
            return number, future.result()
        if future.status in ("cancelled", "lost"):
            raise HwsimError("the scheduler has forgotten what it was to do: run the same again, and it goes on")
        error = future.exception()
        if isinstance(error, self._killed):
            return number, None
        raise error

    def drop(self) -> None:
        """Nobody waits for what is still in hand."""
        self._client.cancel(list(self._numbers))
