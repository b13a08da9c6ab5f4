"""Some designs of a space, suggested by Optuna: for spaces too large to exhaust, and designs that take real time.

Every network is searched for itself, for as many designs as the engine's `trials` say: by a genetic algorithm (NSGA-II,
Deb et al., IEEE TEVC 2002) or by tree-structured Parzen estimators (TPE, Bergstra et al., NIPS 2011; several objectives
as in Ozaki et al., GECCO 2020). Each design is mapped, or played, as a whole. Designs that cannot run and designs that
miss a constraint are trials like others; a search prefers what misses less.

A search goes on where it was left. Any number of processes, on any machines that reach the storage, may take part in
it; each also writes the data set, and the last that ends has all of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from hwsim.errors import HwsimError, SpecError
from hwsim.search.results.dataset import Index, prepare, put, read_index, write_index
from hwsim.search.sampled.outcomes import Outcome, objectives, shard, violations
from hwsim.search.sampled.survey import Survey, surveys
from hwsim.search.sampled.variables import Axes, Design, design_named, design_of, fresh, variables
from hwsim.spec.space import Space

if TYPE_CHECKING:
    from hwsim.search.sampled.pool import Pool
    from hwsim.search.sampled.trials import Trials
    from hwsim.search.sweeps.sweep import Progress, Swept

#: Where trials are kept in the folder of a sweep.
TRIALS = "trials.db"

#: Designs that are named in a message about those that were given up.
NAMED = 5


def sampled(
    space: Space,
    folder: Path,
    *,
    storage: str | Path | None = None,
    jobs: int | None = None,
    scheduler: str | None = None,
    cache: bool = True,
    progress: Progress | None = None,
) -> Swept:
    """Look at as many designs as the space's engine says, counting those of earlier calls, and write a data set.

    One job repeats itself exactly; with several, what is suggested depends on what is known by then.

    Args:
        folder: for the data set.
        storage: where trials are kept: see `hwsim.search.sampled.storage.open_storage`; an SQLite file in the folder if
            not given. Give several processes the same one.
        jobs: processes on this machine; one for each core if not given, this one alone if 1.
        scheduler: address of a Dask scheduler whose workers evaluate, instead of this machine's.
        cache: whether mapped layers are read from and left in the cache on disk.
        progress: called whenever something is done.

    Raises:
        SpecError: measurements or the folder are at fault, or do not suffice.
        HwsimError: a package is missing, the storage or the scheduler does not answer, or some designs ended the
            processes that evaluated them.
    """
    from hwsim.search.sampled.pool import pool
    from hwsim.search.sweeps.sweep import Stand, Swept, cores

    wanted = surveys(space)
    parts = tuple(survey.part for survey in wanted)
    index = Index(space.model_dump(mode="json", by_alias=True), parts, complete=True)
    prepare(folder, index if _complete(folder, index) else replace(index, complete=False))
    with _optuna():
        studies = _studies(wanted, folder / TRIALS if storage is None else storage)
        before = [len(trials.results()) for trials in studies]
        missing = sum(max(0, survey.wanted - there) for survey, there in zip(wanted, before, strict=True))
        total = sum(max(survey.wanted, there) for survey, there in zip(wanted, before, strict=True))
        stand = Stand(0, missing, sum(before), total, sum(before))

        def note() -> None:
            nonlocal stand
            stand = replace(stand, units=stand.units + 1, designs=stand.designs + 1)
            if progress:
                progress(stand)

        if progress:
            progress(stand)
        workers = min(cores() if jobs is None else jobs, missing)
        with pool(workers, scheduler) if missing else pool(1, None) as evaluating:
            for survey, trials in zip(wanted, studies, strict=True):
                try:
                    _search(survey, trials, evaluating, cache, note)
                finally:
                    trials.withdraw()
                    _write(folder, survey, trials)
        lost = [survey.described(key) for survey, own in zip(wanted, studies, strict=True) for key in own.given_up()]
    if lost:
        raise HwsimError(_given_up(lost, folder))
    if not _complete(folder, index):
        write_index(folder, index)
    return Swept(folder, stand.designs, stand.found, wanted[0].chips.count, len(parts), stand.units)


def _complete(folder: Path, index: Index) -> bool:
    """Whether the folder holds all of a sweep already."""
    try:
        return read_index(folder) == index
    except SpecError:
        return False


def _search(survey: Survey, trials: Trials, pool: Pool, cache: bool, note: Callable[[], None]) -> None:
    """Evaluate what is suggested until as many designs as wanted are known or in others' hands."""
    trials.reap()
    flying: dict[int, Design] = {}

    def tell(number: int, outcome: Outcome) -> None:
        columns = survey.columns(flying.pop(number), outcome)
        values, missed = objectives(survey.space, columns), violations(survey.space, columns)
        trials.tell(number, values, missed, outcome.content())
        note()

    while True:
        while len(flying) < pool.size and (suggestion := trials.ask(survey.wanted)):
            flying[suggestion.trial] = design = design_named(suggestion.design)
            job = survey.job(design, cache)
            if isinstance(job, Outcome):
                tell(suggestion.trial, job)
            else:
                pool.start(suggestion.trial, job)
        if not flying:
            return
        number, outcome = pool.finish()
        if outcome is None:
            del flying[number]
            trials.give_up(number)
        else:
            tell(number, outcome)


def _write(folder: Path, survey: Survey, trials: Trials) -> None:
    """Write the data set of one survey, and again if others found more meanwhile."""
    known = -1
    while len(results := trials.results()) != known:
        known = len(results)
        rows = list(survey.rows(results))
        if rows:
            made = shard(survey.part, survey.space, survey.axes.choices, rows)
            if _held(folder, made.unit) != (made.points, made.counts):
                put(folder, made)


def _held(folder: Path, unit: str) -> tuple[bytes, bytes] | None:
    points, counts = (folder / kind / f"{unit}.parquet" for kind in ("points", "counts"))
    return (points.read_bytes(), counts.read_bytes()) if points.is_file() and counts.is_file() else None


def _studies(wanted: Sequence[Survey], where: str | Path) -> list[Trials]:
    from hwsim.search.sampled.storage import open_storage
    from hwsim.search.sampled.trials import Trials

    place = open_storage(where)
    return [
        Trials(
            place,
            f"{survey.space.name}: {survey.subject.network.name}, {survey.key}",
            tuple(survey.space.objectives.values()),
            survey.engine,
            variables(survey.axes),
            partial(_named, survey.axes),
            partial(fresh, survey.axes),
        )
        for survey in wanted
    ]


def _named(axes: Axes, values: Mapping[str, int]) -> str:
    return design_of(axes, values).key


@contextmanager
def _optuna() -> Iterator[None]:
    """Optuna, saying nothing of its own.

    Raises:
        HwsimError: it is not installed.
    """
    try:
        import optuna
    except ImportError:
        raise HwsimError("optuna is not installed: pip install 'hwsim[search]'") from None
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)


def _given_up(lost: Sequence[str], folder: Path) -> str:
    named = [f"  {one}" for one in lost[:NAMED]]
    more = [f"  and {len(lost) - NAMED} more"] if len(lost) > NAMED else []
    head = f"{len(lost)} designs ended every process that evaluated them; the others are in {folder}:"
    return "\n".join([head, *named, *more])
