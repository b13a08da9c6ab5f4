"""Every design of a space, on many cores or machines, into a folder that any later sweep of the space goes on with."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from hwsim.errors import HwsimError
from hwsim.search.design.grid import read_space
from hwsim.search.results.dataset import Index, Shard, done, held, prepare, put, read_points, write_index
from hwsim.search.sweeps.cluster import Outcome, here, local, remote, spread
from hwsim.search.sweeps.work import Unit, compute, units, work
from hwsim.spec.space import Space

if TYPE_CHECKING:
    from pandas import DataFrame

#: Units that are named in a message about those that were given up.
NAMED = 5


@dataclass(frozen=True)
class Stand:
    """How far a sweep has come.

    Args:
        units, designs: done since it started, or before.
        of_units, of_designs: all that it has to do.
        found: designs that were there when it started.
    """

    units: int
    of_units: int
    designs: int
    of_designs: int
    found: int


Progress = Callable[[Stand], None]


@dataclass(frozen=True)
class Swept:
    """What a sweep did.

    Args:
        folder: where the designs are.
        designs: of the space; found: those that were there before.
        chips, parts: of the space.
        units: computed by this sweep.
    """

    folder: Path
    designs: int
    found: int
    chips: int
    parts: int
    units: int


def sweep(
    space: Space | str | Path,
    output: str | Path | None = None,
    *,
    jobs: int | None = None,
    scheduler: str | None = None,
    storage: str | Path | None = None,
    progress: Progress | None = None,
) -> DataFrame:
    """Look at every design of a space, and return those that are to be kept.

    With more than one job it starts processes, which import the script that calls it: keep the call under
    `if __name__ == "__main__":` there.

    Args:
        space: a space, or the path of its file.
        output: folder for the results; a sweep that is there already goes on. None keeps them in memory only.
        jobs: processes on this machine; one for each core if not given, this one alone if 1.
        scheduler: address of a Dask scheduler whose workers compute, instead of this machine's.
        storage: of the trials of an engine that samples: see `hwsim.search.sampled.run.sampled`.
        progress: called whenever something is done.

    Raises:
        SpecError: the space, its measurements or the folder is at fault.
        HwsimError: a package is missing, the scheduler does not answer, or some units could not be computed.
    """
    with TemporaryDirectory(prefix="hwsim-") if output is None else nullcontext(str(output)) as folder:
        run(space, Path(folder), jobs=jobs, scheduler=scheduler, storage=storage, progress=progress)
        return read_points(folder)


def run(
    space: Space | str | Path,
    folder: Path,
    *,
    jobs: int | None = None,
    scheduler: str | None = None,
    storage: str | Path | None = None,
    cache: bool = True,
    progress: Progress | None = None,
) -> Swept:
    """Make a folder hold every part of a space: compute those that it does not hold yet.

    Args:
        cache: whether mapped layers are read from and left in the cache on disk.

    Raises:
        as `sweep`
    """
    space = space if isinstance(space, Space) else read_space(space)
    if space.engine.kind != "exhaustive":
        from hwsim.search.sampled.run import sampled  # Optuna is slow to import

        return sampled(space, folder, storage=storage, jobs=jobs, scheduler=scheduler, cache=cache, progress=progress)
    if storage is not None:
        raise HwsimError("an exhaustive sweep has no trials that a storage could keep: its folder holds all")
    whole = work(space)
    keys = tuple(part.key for part in whole.parts)
    there = {part for own in held(folder, keys).values() for part in own}
    jobs = cores() if jobs is None else jobs
    missing = units(whole, set(keys) - there, jobs)
    index = Index(space.model_dump(mode="json", by_alias=True), keys, complete=not missing)
    prepare(folder, index)
    found = sum(part.designs for part in whole.parts if part.key in there)
    total = sum(part.designs for part in whole.parts)
    stand = Stand(0, len(missing), found, total, found)
    lost: list[Outcome] = []

    def note(unit: Unit) -> None:
        nonlocal stand
        stand = replace(stand, units=stand.units + 1, designs=stand.designs + unit.designs)
        if progress:
            progress(stand)

    def wanted(unit: Unit) -> bool:
        """Whether nobody else, sweeping into the same folder, has computed it meanwhile."""
        if done(folder, unit.name):
            note(unit)
            return False
        return True

    if progress:
        progress(stand)
    for outcome in _computed(missing, wanted, partial(compute, cache=cache), jobs, scheduler):
        if outcome.shard:
            put(folder, outcome.shard)
            note(outcome.unit)
        else:
            lost.append(outcome)
    if lost:
        raise HwsimError(_given_up(lost, len(missing), folder))
    if missing:
        write_index(folder, replace(index, complete=True))
    return Swept(folder, total, found, whole.chips, len(keys), len(missing))


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _computed(
    missing: Sequence[Unit],
    wanted: Callable[[Unit], bool],
    compute: Callable[[Unit], Shard],
    jobs: int,
    scheduler: str | None,
) -> Iterator[Outcome]:
    if not missing:
        return
    if scheduler is None and min(jobs, len(missing)) == 1:
        yield from here(missing, wanted, compute)
        return
    with remote(scheduler) if scheduler else local(min(jobs, len(missing))) as client:
        yield from spread(client, missing, wanted, compute)


def _given_up(lost: Sequence[Outcome], units: int, folder: Path) -> str:
    lines = [f"  {outcome.unit}: {outcome.reason}" for outcome in lost[:NAMED]]
    if len(lost) > NAMED:
        lines.append(f"  and {len(lost) - NAMED} more")
    head = f"{len(lost)} of {units} units could not be computed; the others are in {folder}, and a new try keeps them:"
    return "\n".join([head, *lines])
