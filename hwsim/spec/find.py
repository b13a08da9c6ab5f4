"""The measurement that answers a question, or the commands that make it."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from hwsim.errors import Fault, SpecError
from hwsim.spec.ensemble import Ensemble
from hwsim.spec.measurement import RESULTS, Accounting, Measurement

#: The attacks of EMPIR's paper that keep within a bound, over which a worst case at an epsilon is taken.
BOUNDED = ("fgsm", "bim", "pgd")

#: Attacks that look for the smallest perturbation, whatever its size.
UNBOUNDED = ("cw", "jsma")


def find(
    measurements: Iterable[Measurement],
    ensemble: Ensemble,
    *,
    dataset: str,
    attack: str = "worst_case",
    epsilon: float | None = None,
    accounting: Accounting = "standard",
    defence: str = "none",
    gradient: str | None = None,
    samples: int | None = None,
    seed: int | None = None,
    file: str | Path = "ENSEMBLE.yaml",
    checkpoints: str | Path = "runs",
    output: str | Path = "measurements.jsonl",
) -> Measurement:
    """The measurement, on the test split, that answers a question; never one in between.

    What is None is not asked for; for anything else, filter the measurements. Where no epsilon is asked for, one that
    has none comes first, and then of all that of the most samples.

    Args:
        file, checkpoints, output: the ensemble's file, the folder of trained members and the file of measurements, for
            the commands that an error names.

    Raises:
        SpecError: there is none, with the commands that measure it; or several, with what they differ in.
    """
    same = {"dataset": dataset, "accounting": accounting, "defence": defence}
    asked = {"attack": attack, "epsilon": epsilon, "gradient": gradient, "samples": samples, "seed": seed}
    asked = {name: value for name, value in asked.items() if value is not None}
    own = {"ensemble": ensemble.identity(), "split": "test", **same}
    near = [one for one in measurements if all(getattr(one, name) == value for name, value in own.items())]
    found = {one.question: one for one in near if all(_is(getattr(one, name), value) for name, value in asked.items())}
    free = [one for one in found.values() if epsilon is None and one.epsilon is None]
    kept = free or list(found.values())
    most = max((one.samples for one in kept), default=0)
    best = [one for one in kept if one.samples == most]
    if len(best) == 1:
        return best[0]
    what = f"{_text(asked)} for {ensemble.name} ({own['ensemble']}; {_text(same)})"
    if best:
        differ = ", ".join(name for name in Measurement.model_fields if len({_shown(one, name) for one in best}) > 1)
        raise SpecError([Fault(f"{len(best)} measurements of {what}: they differ in {differ}")])
    have = sorted({one.attack if one.epsilon is None else f"{one.attack} {one.epsilon:g}" for one in near})
    there = f" (there are: {', '.join(have)})" if have else ""
    how = map(shlex.join, commands({**same, **asked}, file, checkpoints, output))
    raise SpecError([Fault(f"no measurement of {what}{there}; these commands make it:"), *map(Fault, how)])


def _is(value: Any, wanted: Any) -> bool:
    return math.isclose(value, wanted) if isinstance(value, float) and isinstance(wanted, float) else value == wanted


def _text(asked: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in asked.items())


def _shown(measurement: Measurement, name: str) -> str:
    return "" if name in RESULTS else repr(getattr(measurement, name))


def commands(
    asked: Mapping[str, Any], file: str | Path, checkpoints: str | Path, output: str | Path
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What trains the members, and what attacks them; neither repeats what is done already.

    Args:
        asked: dataset, accounting, defence and attack, several of them separated by commas; and, where they are asked
            for, epsilon, gradient, samples and seed.
        file, checkpoints, output: the ensemble's file, the folder of trained members and the file of measurements.
    """
    attack, epsilon = asked["attack"], asked.get("epsilon")
    common = ["--ensemble", file, "--data", asked["dataset"]]
    if asked["defence"] != "none":
        common += ["--defence", asked["defence"]]
    if "seed" in asked:
        common += ["--seed", asked["seed"]]
    own: list[object] = ["--checkpoints", checkpoints]
    sets = {"none": (), "adaptive": (), "worst_case": BOUNDED if epsilon else ()}
    attacks = sets.get(attack, tuple(attack.split(",")))
    own += ["--attack", ",".join(attacks)] if attacks else []
    for name in ("adaptive",) if attack == "adaptive" else attacks:
        own += ["--set", f"{name}.epsilon={epsilon}"] if epsilon is not None and name not in UNBOUNDED else []
    if attack != "adaptive":
        own += ["--gradient", asked["gradient"]] if "gradient" in asked else []
        own += ["--accounting", asked["accounting"]] if asked["accounting"] != "standard" else []
    own += ["--limit", asked["samples"]] if "samples" in asked else []
    verb = "verify" if attack == "adaptive" else "attack"
    return (
        tuple(map(str, ["empir", "train", *common, "-o", checkpoints])),
        tuple(map(str, ["empir", verb, *common, *own, "-o", output])),
    )
