"""Measuring ensembles that nobody has attacked yet, by empir's command, in rounds of more and more samples.

hwsim never imports empir: members are trained by `empir train`, once for all ensembles that share them, and attacked by
`empir verify` or `empir attack`, which append a line each to the file of measurements. What is there already is not run
again. A command that fails costs its ensemble, not the search.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from hwsim.errors import Fault, SpecError
from hwsim.search.design.ensembles import members_text
from hwsim.search.measured.robustness import RELEASED, Copies, Key, Robust, Robustness, key, robustness
from hwsim.search.measured.rounds import Flags, Floats, Limits, alive, bounds, schedule
from hwsim.spec.ensemble import Ensemble
from hwsim.spec.find import BOUNDED, commands
from hwsim.spec.space import Accuracy, Subject

#: How many samples the first round has.
FIRST = 100

#: Lines of a failed command's stderr that are told.
TOLD = 6

#: How long a command may take to end after an interruption [s].
GRACE = 20.0

#: The attacks that each way to count needs, and their accounting.
_ATTACKS: dict[Accuracy, tuple[str, str]] = {
    "verify": ("adaptive", "standard"),
    "standard": (",".join(BOUNDED), "standard"),
    "released": (",".join(RELEASED), "released"),
}


@dataclass(frozen=True)
class Empir:
    """How empir is run.

    Args:
        subject: whose ensembles are measured; it names data set and file of measurements.
        accuracy: which robustness counts.
        checkpoints: folder of trained members; files of ensembles are written there too.
        command: what stands for `empir`.
        options: given to every command, as in `("--device", "cuda")`.
        settings: NAME.FIELD=VALUE; those of recipe and defence go to every command, others to the attacks.
        full: width of full precision [bits].
    """

    subject: Subject
    accuracy: Accuracy
    checkpoints: Path
    command: tuple[str, ...] = ("empir",)
    options: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    full: int = 32


@dataclass(frozen=True)
class Entrant:
    """An ensemble that may reach the front.

    Args:
        ensemble: what it is.
        attacked: whether it is measured further; others only take part with what is known of them.
    """

    ensemble: Ensemble
    attacked: bool = True

    @property
    def key(self) -> Key:
        """What it is known by."""
        return key(copies_of(self.ensemble), self.ensemble.combiner)

    @property
    def text(self) -> str:
        """Members and combiner."""
        return ensemble_text(self.ensemble)


@dataclass(frozen=True)
class Failure:
    """A command that failed: whose, which, and what it said."""

    ensemble: str
    command: str
    reason: str


@dataclass(frozen=True)
class Round:
    """What one round did: samples asked for, commands run, and who was out afterwards."""

    samples: int
    measured: int
    out: tuple[str, ...]


@dataclass
class Evaluation:
    """What the rounds did.

    Args:
        rounds: one after another.
        failures: of commands.
    """

    rounds: list[Round] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)


def evaluate(
    entrants: Sequence[Entrant],
    costs: Floats,
    limits: Limits,
    empir: Empir,
    *,
    first: int = FIRST,
    most: int | None = None,
    tell: Callable[[str], object] = lambda text: None,
) -> Evaluation:
    """Measure ensembles in rounds, each on more samples, for as long as they may reach the front; see `rounds`.

    The full-precision network alone, against which clean losses count, is measured to the end if it is an entrant.

    Args:
        costs: of every entrant in every setting, see `rounds.alive`.
        first: samples of the first round.
        most: samples of the last one; all of the test split if None.
        tell: called with a line for whoever waits.

    Raises:
        SpecError: the file of measurements is not valid.
    """
    done, trained = Evaluation(), set[Copies]()
    running = np.array([one.attacked for one in entrants], dtype=bool)
    baseline = _baseline(entrants, empir.full)
    size: int | None = None  # of the test split, once a command found fewer samples than it was asked for
    for number, asked in enumerate(schedule(first, most), 1):
        samples = asked if size is None else min(asked, size)
        known = known_of(empir)
        lacking = [i for i, one in enumerate(entrants) if running[i] and not _enough(known, one, samples)]
        started, measured = time.monotonic(), 0
        for position, index in enumerate(lacking):
            one = entrants[index]
            if _enough(known, one, samples):  # by now it is known that there are no more
                continue
            tell(_progress(number, samples, position, len(lacking), one, time.monotonic() - started))
            measured += 1
            if failure := _measure(one, empir, samples, trained):
                done.failures.append(failure)
                running[index] = False
                tell(f"{failure.ensemble}: {failure.command} failed: {failure.reason}")
                continue
            known = known_of(empir)
            found = known.points[one.key]
            if found.samples < samples:
                size = samples = found.samples
        kept = _alive(entrants, costs, limits, known, number, baseline)
        out = tuple(one.text for i, one in enumerate(entrants) if running[i] and not kept[i])
        running &= kept
        done.rounds.append(Round(samples, measured, out))
        tell(f"round {number}, {samples} samples: {int(running.sum())} may still reach the front, {len(out)} cannot")
        if samples in (size, most) or not running.any():
            break
    return done


def known_of(empir: Empir) -> Robustness:
    """What the file of measurements says by now; nothing where it is not there yet."""
    file = empir.subject.measurements
    if file is None:
        raise SpecError([Fault("no file of measurements is named, which what is measured could be kept in")])
    if not Path(file).exists():
        return Robustness(empir.accuracy, {}, None, empir.subject.dataset, empir.subject.epsilon)
    found = robustness(empir.accuracy, empir.subject, empir.full)
    assert found is not None
    return found


def how_to_measure(ensemble: Ensemble, empir: Empir, samples: int | None = None) -> tuple[tuple[str, ...], ...]:
    """The commands that train an ensemble's members and attack it; neither repeats what is done already.

    Args:
        samples: all of the test split if None.
    """
    attack, accounting = _ATTACKS[empir.accuracy]
    subject = empir.subject
    asked: dict[str, Any] = {
        "dataset": subject.dataset,
        "defence": subject.defence,
        "attack": attack,
        "accounting": accounting,
        "epsilon": subject.epsilon,
        "samples": samples,
    }
    asked = {name: value for name, value in asked.items() if value is not None or name == "dataset"}
    if asked["dataset"] is None:
        raise SpecError([Fault("on which data set? Nothing measured says so", field="dataset")])
    train, measure = commands(asked, ensemble_file(ensemble, empir), empir.checkpoints, subject.measurements or "")
    recipe = [text for text in empir.settings if text.partition(".")[0] in ("recipe", "defence")]
    return (
        (*empir.command, *train[1:], *empir.options, *_set(recipe)),
        (*empir.command, *measure[1:], *empir.options, *_set(empir.settings)),
    )


def ensemble_file(ensemble: Ensemble, empir: Empir) -> Path:
    """Where an ensemble's file is written: its name says what it is, and its fingerprint tells it from any other."""
    words = ensemble.network.name, members_text(copies_of(ensemble), empir.full), ensemble.combiner
    stem = "-".join(re.sub(r"[^A-Za-z0-9_]+", "-", word).strip("-") for word in words)
    return empir.checkpoints / "ensembles" / f"{stem[:100]}-{ensemble.identity()[:8]}.yaml"


def ensemble_json(ensemble: Ensemble) -> str:
    """An ensemble's file on one line: JSON, which YAML includes."""
    content = ensemble.model_dump(mode="json", exclude_defaults=True)
    return json.dumps({**content, "combiner": ensemble.combiner, "quantize": content.get("quantize", "all")})


def ensemble_text(ensemble: Ensemble) -> str:
    """`2 fp + w2a4, max vote`: members and combiner, which one alone does not have."""
    copies = copies_of(ensemble)
    combiner = f", {ensemble.combiner.replace('_', ' ')}" if len(copies) > 1 else ""
    return members_text(copies, ensemble.full_precision_bits) + combiner


def copies_of(ensemble: Ensemble) -> tuple[tuple[int, int], ...]:
    """Weight and activation bits of every member."""
    return tuple((member.weights, member.activations) for member in ensemble.members for _ in range(member.count))


def _alive(
    entrants: Sequence[Entrant], costs: Floats, limits: Limits, known: Robustness, number: int, baseline: int | None
) -> Flags:
    found: list[Robust | None] = [known.points.get(one.key) for one in entrants]
    clean = [one.clean if one else np.nan for one in found]
    robust = [one.robust if one else np.nan for one in found]
    asked = [one.samples if one else 0 for one in found]
    kept = alive(costs, bounds(clean, robust, asked, number), limits, baseline)
    if baseline is not None:
        kept[baseline] = True
    return kept


def _baseline(entrants: Sequence[Entrant], full: int) -> int | None:
    alone = key([(full, full)], "average")
    return next((i for i, one in enumerate(entrants) if one.key == alone), None)


def _enough(known: Robustness, one: Entrant, samples: int) -> bool:
    found = known.points.get(one.key)
    return found is not None and found.samples >= samples


def _measure(one: Entrant, empir: Empir, samples: int, trained: set[Copies]) -> Failure | None:
    """Train and attack one ensemble."""
    _write(ensemble_file(one.ensemble, empir), ensemble_json(one.ensemble) + "\n")
    train, attack = how_to_measure(one.ensemble, empir, samples)
    members, _ = one.key
    for command in (attack,) if members in trained else (train, attack):
        if reason := run(command):
            return Failure(one.text, shlex.join(command), reason)
    trained.add(members)
    if one.key not in known_of(empir).points:
        what = f"it appended no measurement that counts ({empir.accuracy}) to {empir.subject.measurements}"
        return Failure(one.text, shlex.join(attack), what)
    return None


def _write(path: Path, text: str) -> None:
    """Put a text in a file's place at once: another search may be reading it.

    Raises:
        SpecError: it cannot be written.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(text, encoding="utf-8")
        os.replace(part, path)
    except OSError as error:
        raise SpecError([Fault(f"cannot be written: {error.strerror or error}", str(path))]) from None


def run(command: Sequence[str]) -> str | None:
    """Run a command to its end; why it failed, if it did.

    An interruption is passed on, and waited for: what the command has written by then is whole.
    """
    try:
        # A group of its own: a Ctrl-C reaches it once, from here, and not while it appends to a file.
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            process_group=0,
        )
    except OSError as error:
        return f"cannot be run: {error.strerror or error}"
    with process:
        try:
            _, said = process.communicate()
        except BaseException:
            _end(process)
            raise
    if process.returncode == 0:
        return None
    if process.returncode < 0:
        return f"it was ended by {signal.Signals(-process.returncode).name}"
    lines = [line for line in said.splitlines() if line.strip()]
    return "; ".join(lines[-TOLD:]) or f"exit code {process.returncode}"


def _end(process: subprocess.Popen[str]) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        process.send_signal(number)
        try:
            process.communicate(timeout=GRACE)
            return
        except subprocess.TimeoutExpired:
            continue


def _progress(number: int, samples: int, position: int, total: int, one: Entrant, seconds: float) -> str:
    left = f", about {_duration(seconds / position * (total - position))} left in this round" if position else ""
    return f"round {number}, {samples} samples, {position + 1} of {total}: {one.text}{left}"


def _duration(seconds: float) -> str:
    units = ((5400, 3600, ".1f", "h"), (90, 60, ".0f", "min"), (0, 1, ".0f", "s"))
    return next(f"{seconds / unit:{digits}} {name}" for least, unit, digits, name in units if seconds >= least)


def _set(settings: Iterable[str]) -> list[str]:
    return [part for text in settings for part in ("--set", text)]
