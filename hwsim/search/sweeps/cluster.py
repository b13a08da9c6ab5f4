"""Units of a sweep computed in this process, on the cores of this machine, or wherever a Dask scheduler has workers.

A worker that is killed costs its unit, which is run again by another. One whose workers were killed three times is set
aside, since it may only have been in bad company, and has its last tries alone, when nothing else runs; then it is
given up, and the others are not.
"""

from __future__ import annotations

import logging
import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import resource_tracker
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from hwsim.errors import HwsimError
from hwsim.search.results.dataset import Shard
from hwsim.search.sweeps.work import Unit

if TYPE_CHECKING:
    from distributed import Client

#: Workers that a unit may take down with it before it is tried alone, and once more then.
LIVES = 3

#: How long a scheduler, and the workers of this machine when they start, may take to answer [s].
PATIENCE = 30.0

#: Units in hand for each core: one that runs, one that is next.
AHEAD = 2


@dataclass(frozen=True)
class Outcome:
    """What became of a unit: what it leaves, or why it was given up."""

    unit: Unit
    shard: Shard | None
    reason: str = ""


def here(units: Sequence[Unit], wanted: Callable[[Unit], bool], run: Callable[[Unit], Shard]) -> Iterator[Outcome]:
    """One unit after another, in this process.

    Args:
        wanted: whether a unit is still to be computed when its turn comes.
    """
    for unit in units:
        if wanted(unit):
            try:
                outcome = Outcome(unit, run(unit))
            except Exception as error:
                outcome = Outcome(unit, None, _told(error))
            yield outcome


@contextmanager
def local(jobs: int) -> Iterator[Client]:
    """A client of as many worker processes on this machine, each of one thread.

    Raises:
        HwsimError: Dask is not installed, or the workers do not start.
    """
    distributed = _distributed()
    try:
        with _without_interrupts():
            cluster = distributed.LocalCluster(
                n_workers=jobs,
                threads_per_worker=1,
                processes=True,
                dashboard_address="127.0.0.1:0",
                memory_limit=0,
                silence_logs=logging.CRITICAL,
                scheduler_kwargs={"allowed_failures": LIVES - 1, "dashboard": False},
            )
    except (OSError, TimeoutError, RuntimeError) as error:
        raise HwsimError(f"the {jobs} workers did not start: {error}") from None
    try:
        with distributed.Client(cluster, set_as_default=False) as client:
            yield client
    finally:
        cluster.close(timeout=PATIENCE)


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Processes started in here, and by threads started in here, never see Ctrl-C; this one sees it afterwards.

    A terminal sends it to all of them, and those that only compute would answer with a traceback.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # which would let interrupts through again for whoever starts it
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def remote(address: str) -> Iterator[Client]:
    """A client of a scheduler that runs already.

    Raises:
        HwsimError: Dask is not installed, or nothing answers at the address.
    """
    distributed = _distributed()
    try:
        client = distributed.Client(address, timeout=PATIENCE, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise HwsimError(f"no scheduler answers at {address}: {error}") from None
    with client:
        yield client


def spread(
    client: Client, units: Sequence[Unit], wanted: Callable[[Unit], bool], run: Callable[[Unit], Shard]
) -> Iterator[Outcome]:
    """Units computed by the workers of a scheduler, in the order in which they are done.

    No more are in hand than keep the workers busy, so that results do not pile up.

    Args:
        wanted: whether a unit is still to be computed when its turn comes.

    Raises:
        HwsimError: the scheduler went away.
    """
    suspects: list[Unit] = []
    for outcome in _round(client, units, wanted, run, None):
        if outcome.shard is None and outcome.reason == killed():
            suspects.append(outcome.unit)
        else:
            yield outcome
    yield from _round(client, suspects, wanted, run, 1)


def killed() -> str:
    """Why a unit was given up that takes its workers down with it."""
    return f"{LIVES} workers died while they computed it"


def _round(
    client: Client,
    units: Sequence[Unit],
    wanted: Callable[[Unit], bool],
    run: Callable[[Unit], Shard],
    most: int | None,
) -> Iterator[Outcome]:
    distributed = _distributed()
    waiting = deque(units)
    running: dict[Any, Unit] = {}
    finished = distributed.as_completed(loop=client.loop)
    try:
        while waiting or running:
            room = most or max(AHEAD, AHEAD * sum(client.nthreads().values()))
            while waiting and len(running) < room:
                unit = waiting.popleft()
                if wanted(unit):
                    # Never the name of another try, or of somebody else's sweep on the same scheduler.
                    future = client.submit(run, unit, key=f"hwsim-{unit.name}-{token_hex(4)}", pure=False)
                    running[future] = unit
                    finished.add(future)
            if running:
                future = next(finished)
                unit = running.pop(future)
                yield _outcome(unit, future)
                future.release()
    except (OSError, TimeoutError) as error:
        raise HwsimError(f"the scheduler at {client.scheduler.address} went away: {error}") from None
    finally:
        client.cancel(list(running))


def _outcome(unit: Unit, future: Any) -> Outcome:
    distributed = _distributed()
    if future.status == "finished":
        return Outcome(unit, future.result())
    if future.status in ("cancelled", "lost"):
        raise TimeoutError("it has forgotten what it was to do")
    error = future.exception()
    return Outcome(unit, None, killed() if isinstance(error, distributed.KilledWorker) else _told(error))


def _told(error: BaseException) -> str:
    return str(error) if isinstance(error, HwsimError) else f"{type(error).__name__}: {error}"


def _distributed() -> Any:
    try:
        import distributed
    except ImportError:
        raise HwsimError("distributed is not installed: pip install 'hwsim[search]'") from None
    return distributed
