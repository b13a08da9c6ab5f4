"""Everything that is wrong with the chips of a space, before any work: bases, single values, values together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from math import prod
from pathlib import Path

from hwsim.errors import Fault, SpecError, did_you_mean, shown
from hwsim.spec.document import Location
from hwsim.spec.files import presets
from hwsim.spec.variants import Base, Dial, Option, Problem, Setting, changed, read_base, settled

#: Chips that are checked one by one; of more, so many pairs of values are.
EVERY = 5_000

#: Combinations that are explained; of more, only the number is told.
MOST = 20

#: A value of a knob: the number of the knob, and the value.
Choice = tuple[int, Option]


def chip_faults(
    names: Sequence[tuple[Location, str]], knobs: Sequence[Dial], folder: Path = Path()
) -> tuple[list[Problem], list[Fault]]:
    """What is wrong with the chips, by its place in the space, and what is wrong in the files of the bases.

    A value of a knob must fit every base alone. Where there are more than `EVERY` chips, of values that do not fit
    together only pairs are looked for here, and of knobs with many values among a few of them, evenly spread; whatever
    else does not fit together fails when such a chip is made.

    Args:
        names: of the bases, with their places.
        folder: that the paths of bases are relative to.
    """
    problems: list[Problem] = []
    elsewhere: list[Fault] = []
    bases: list[Base] = []
    for where, name in names:
        try:
            base = read_base(name, folder)
        except SpecError as error:
            elsewhere += (fault for fault in error.faults if fault.line is not None)
            problems += ((where, _unplaced(fault, name)) for fault in error.faults if fault.line is None)
            continue
        if any(base.name == other.name for other in bases):
            problems.append((where, f"results would call two bases {shown(base.name)}: rename a file"))
        bases.append(base)
    alone = [_alone(base, knobs) for base in bases]
    problems += _on_some([(base.name, found.problems) for base, found in zip(bases, alone, strict=True)])
    problems += [problem for found in alone for problem in _undone(knobs, found.reached)]
    for base, found in zip(bases, alone, strict=True):
        problems += _together(base, knobs, found.good, f" on {base.name}" if len(names) > 1 else "")
    return list(dict.fromkeys(problems)), list(dict.fromkeys(elsewhere))


def _unplaced(fault: Fault, name: str) -> str:
    """Why a base cannot be read; a preset's name is looked for without the folder that was put before it."""
    hint = did_you_mean(name, presets()) if fault.message.startswith("no such file") else ""
    return f"{shown(name)}: no such file{hint}" if hint else f"{fault.file}: {fault.message}"


@dataclass(frozen=True)
class _Alone:
    """The values of the knobs, each alone on one base.

    Args:
        good: for every knob, the values that fit.
        problems: what is wrong with the others.
        reached: for every knob, the fields of the base that its values set.
    """

    good: tuple[tuple[Option, ...], ...]
    problems: tuple[Problem, ...]
    reached: tuple[dict[Location, Setting], ...]


def _alone(base: Base, knobs: Sequence[Dial]) -> _Alone:
    good: list[tuple[Option, ...]] = []
    problems: list[Problem] = []
    reached: list[dict[Location, Setting]] = []
    for knob in knobs:
        fits = []
        for option in knob.options:
            made = changed(base, [option])
            if isinstance(made, tuple):
                problems += made
            else:
                fits.append(option)
        good.append(tuple(fits))
        reached.append({where: setting for option in knob.options for where, setting in settled(base, [option])[1]})
    return _Alone(tuple(good), tuple(problems), tuple(reached))


def _on_some(found: Sequence[tuple[str, Sequence[Problem]]]) -> list[Problem]:
    """The problems of all bases; one that only some have says which."""
    names: dict[Problem, list[str]] = {}
    for name, problems in found:
        for problem in dict.fromkeys(problems):
            names.setdefault(problem, []).append(name)
    return [
        (where, why if len(on) == len(found) else f"{why} (on {', '.join(on)})") for (where, why), on in names.items()
    ]


def _undone(knobs: Sequence[Dial], reached: Sequence[dict[Location, Setting]]) -> Iterator[Problem]:
    """Knobs whose values would be written over by a later knob."""
    for (i, earlier), (j, later) in combinations(enumerate(reached), 2):
        for where, setting in later.items():
            if any(other[: len(where)] == where for other in earlier):
                yield setting.at, f"knob {shown(knobs[j].name)} would undo what knob {shown(knobs[i].name)} sets"


def _together(base: Base, knobs: Sequence[Dial], good: Sequence[Sequence[Option]], on: str) -> Iterator[Problem]:
    """Values that fit the base alone but not together, each group without any that has no part in it."""
    several = [[(i, option) for option in options] for i, options in enumerate(good) if options]
    if len(several) < 2:
        return
    chips = prod(len(options) for options in several)
    every = chips <= EVERY
    looked = product(*several) if every else _pairs(several)
    clashes: list[tuple[Choice, ...]] = []
    counts: Counter[int] = Counter()
    rest = 0
    for choices in looked:
        if not isinstance(changed(base, [option for _, option in choices]), tuple):
            continue
        known = next((i for i, clash in enumerate(clashes) if all(choice in choices for choice in clash)), None)
        if known is None and len(clashes) == MOST:
            rest += 1
            continue
        if known is None:
            known = len(clashes)
            clashes.append(_least(base, choices))
        counts[known] += 1
    for number, clash in enumerate(clashes):
        values = ", ".join(f"{knobs[i].name} = {option.text}" for i, option in clash)
        much = f" ({counts[number]} of {chips} chips)" if every else ""
        made = changed(base, [option for _, option in clash])
        for where, why in made if isinstance(made, tuple) else ():
            yield where, f"not together, {values}{on}{much}: {why}"
    if rest:
        yield ("chips", "knobs"), f"{rest} more {'chips' if every else 'pairs of values'}{on} do not hold together"


def _pairs(several: Sequence[Sequence[Choice]]) -> Iterator[tuple[Choice, ...]]:
    """Pairs of values of different knobs: all of them, or of the values so few that there are at most `EVERY` pairs."""
    most = max(len(options) for options in several)
    while most > 2 and sum(min(len(a), most) * min(len(b), most) for a, b in combinations(several, 2)) > EVERY:
        most = max(most * 3 // 4, 2)
    for pair in combinations([_spread(options, most) for options in several], 2):
        yield from product(*pair)


def _spread(options: Sequence[Choice], most: int) -> Sequence[Choice]:
    """So many of a knob's values, the first and the last among them."""
    if len(options) <= most:
        return options
    return [options[i * (len(options) - 1) // (most - 1)] for i in range(most)]


def _least(base: Base, choices: tuple[Choice, ...]) -> tuple[Choice, ...]:
    """The part of a faulty combination that is faulty without the rest."""
    for choice in choices:
        fewer = tuple(kept for kept in choices if kept is not choice)
        if isinstance(changed(base, [option for _, option in fewer]), tuple):
            return _least(base, fewer)
    return choices
