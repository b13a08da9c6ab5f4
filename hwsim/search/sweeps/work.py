"""What a sweep consists of: parts, each one chip in one scenario, and units of parts that are computed together.

A part is named by the fingerprint of all that its designs depend on, so that an edited space finds again what did not
change. A unit is a pure function of its content: it can be computed anywhere, any number of times.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, astuple, dataclass
from functools import cached_property
from itertools import groupby
from typing import Any

from pydantic import TypeAdapter

from hwsim import __version__
from hwsim.cache.families import RememberedFamilies
from hwsim.errors import HwsimError
from hwsim.importers import resolve
from hwsim.mapper.family import Families
from hwsim.search.design.ensembles import count
from hwsim.search.design.grid import Chip, Scenario, chips, choices, scenarios
from hwsim.search.exhaustive.explore import explore, member_prices
from hwsim.search.measured.robustness import Robustness, robustness
from hwsim.search.results.dataset import Shard, encoded, unit_name
from hwsim.search.results.tables import Names, Sheet, counts_table, empty_points, points_table, same_for_all
from hwsim.search.sweeps.keep import Counts, Kept
from hwsim.spec.hardware import Hardware
from hwsim.spec.network import Network
from hwsim.spec.rules import Rule
from hwsim.spec.space import Space, Subject
from hwsim.value import digest

#: Chips that one unit may have, and units that a sweep has at least, if there are enough chips.
MOST_CHIPS, UNITS = 32, 64

#: Designs of one unit where all, or all within the constraints, are written down; bounds what is in flight.
MOST_ROWS = 1 << 21

#: Ensembles that are looked at together.
BLOCK = 1 << 17


@dataclass(frozen=True)
class Part:
    """What one chip makes of one scenario.

    Args:
        key: fingerprint of all that the designs depend on.
        designs: how many there are, more or less where they are shared out.
        share: which of how many; more than one where there are too many designs to hold.
    """

    scenario: Scenario
    chip: Chip
    key: str
    designs: int
    share: tuple[int, int] = (0, 1)


@dataclass(frozen=True)
class Unit:
    """Parts of one network at one batch that are computed together.

    Args:
        network: the subject's; a worker may not have the file that it was read from.
        known: what the measurements say of the network's ensembles.
        version: of hwsim, which is the same wherever a sweep is computed.
    """

    space: Space
    parts: tuple[Part, ...]
    network: Network
    known: Robustness | None
    version: str = __version__

    @cached_property
    def name(self) -> str:
        """See `unit_name`."""
        return unit_name(part.key for part in self.parts)

    @property
    def designs(self) -> int:
        """How many it looks at."""
        return sum(part.designs for part in self.parts)

    def __str__(self) -> str:
        """For messages."""
        first = self.parts[0]
        knobs = ", ".join(f"{name} {value}" for name, value in first.chip.knobs.items()) or first.chip.hardware.name
        chips = len({part.chip.hardware.fingerprint() for part in self.parts})
        others = f" and {chips - 1} more" if chips > 1 else ""
        return f"{first.scenario.subject.network.name}, batch {first.scenario.batch}, {knobs}{others}"


@dataclass(frozen=True)
class Work:
    """All of a sweep.

    Args:
        networks: by the fingerprint of the subject; known: what the measurements say, by the same.
        chips: of the space.
    """

    space: Space
    parts: tuple[Part, ...]
    networks: Mapping[str, Network]
    known: Mapping[str, Robustness | None]
    chips: int


def work(space: Space) -> Work:
    """The parts of a space, in the order of subjects, batches, chips and combiners.

    Raises:
        SpecError: a network or its measurements cannot be read.
    """
    everywhere = chips(space)
    own = [[chip.knobs, chip.hardware.fingerprint(), chip.area] for chip in everywhere]
    known = {
        subject.fingerprint(): robustness(space.accuracy, subject, space.ensembles.full_precision_bits)
        for subject in space.subjects
    }
    networks = {subject.fingerprint(): _network(subject) for subject in space.subjects}
    layers = {name: hashlib.sha256(repr(network).encode()).hexdigest() for name, network in networks.items()}
    designs = count(choices(space.ensembles))
    shares = 1 if space.keep == "front" else max(1, -(-designs // MOST_ROWS))
    parts = []
    for _, several in groupby(scenarios(space), key=lambda one: (one.subject.fingerprint(), one.batch)):
        prepared = [(one, _content(space, one, layers, known)) for one in several]
        parts += [
            Part(
                scenario,
                chip,
                digest("part", [content, own[number], share, shares]),
                designs // shares,
                (share, shares),
            )
            for number, chip in enumerate(everywhere)
            for scenario, content in prepared
            for share in range(shares)
        ]
    return Work(space, tuple(parts), networks, known, len(everywhere))


def units(whole: Work, missing: Collection[str], jobs: int) -> list[Unit]:
    """The parts that are missing, put together so that chips with the same memories are mapped together.

    Which parts are put together depends on the space, not on what is missing: among mappings that tie in the objective,
    the one that is found depends on who is mapped together, and a sweep that goes on is to find the same.

    Args:
        missing: keys of parts.
        jobs: how many units are computed at once; there are at least twice as many, if there are enough chips.
    """
    space, found = whole.space, []
    alike = {id(chip): _mapped(chip.hardware) for chip in {id(part.chip): part.chip for part in whole.parts}.values()}
    blocks = [list(own) for _, own in groupby(whole.parts, key=_of_unit)]
    most = min(MOST_CHIPS, max(1, len(blocks) * whole.chips // max(UNITS, 2 * jobs)))
    for parts in blocks:
        first = {kind: number for number, kind in reversed(list(enumerate(alike[id(part.chip)] for part in parts)))}
        parts.sort(key=lambda part: first[alike[id(part.chip)]])
        size = max(1, most * len(parts) // whole.chips)
        if space.keep != "front":
            size = min(size, max(1, MOST_ROWS // max(1, parts[0].designs)))
        subject = parts[0].scenario.subject.fingerprint()
        for start in range(0, len(parts), size):
            own = tuple(part for part in parts[start : start + size] if part.key in missing)
            if own:
                found.append(Unit(space, own, whole.networks[subject], whole.known[subject]))
    return found


def compute(unit: Unit, cache: bool = True) -> Shard:
    """Look at every design of a unit, and keep what is to be kept.

    Args:
        cache: whether mapped layers are read from and left in the cache on disk.

    Raises:
        HwsimError: hwsim here is not the one that the unit was made by.
    """
    if unit.version != __version__:
        raise HwsimError(f"hwsim is {__version__} on a worker and {unit.version} where the sweep was started")
    space, keys = unit.space, [part.key for part in unit.parts]
    names = Names(choices(space.ensembles))
    common = {part.key: same_for_all(part.key, part.chip, part.scenario, space.timing) for part in unit.parts}
    points = Sheet(empty_points(common[keys[0]]), keys)
    kept = {key: Kept(space.keep, space.objectives) for key in keys}
    counts = {key: Counts(space) for key in keys}
    chips = list({id(part.chip): part.chip for part in unit.parts}.values())
    mapper = RememberedFamilies() if cache else Families()
    prices = dict(zip(map(id, chips), member_prices(space, unit.parts[0].scenario, chips, mapper=mapper), strict=True))
    for scenario, parts in _by_scenario(unit.parts).items():
        own = {(id(part.chip), part.share[0]): part.key for part in parts}
        explored = list({id(part.chip): part.chip for part in parts}.values())
        priced = [prices[id(chip)] for chip in explored]
        shares, seen = parts[0].share[1], Counter[int]()
        for designs in explore(
            space, scenario, explored, known=unit.known, most=BLOCK, network=unit.network, prices=priced
        ):
            chip = id(designs.chip)
            key = own.get((chip, seen[chip] % shares))
            seen[chip] += 1
            if key is not None:
                counts[key].add(designs)
                kept[key].add(designs)
                if space.keep != "front":
                    _write(points, kept[key], common[key], names)
    for key in keys:
        _write(points, kept[key], common[key], names)
    table = counts_table([{**common[key], **row} for key in keys for row in counts[key].rows()])
    return Shard(unit.name, tuple(keys), points.finish(), encoded(table, keys))


def _write(points: Sheet, kept: Kept, common: dict[str, str | int], names: Names) -> None:
    for designs in kept.take():
        points.add(points_table(common, designs, names))


def _by_scenario(parts: Iterable[Part]) -> dict[Scenario, list[Part]]:
    found: dict[Scenario, list[Part]] = {}
    for part in parts:
        found.setdefault(part.scenario, []).append(part)
    return found


def _of_unit(part: Part) -> tuple[str, int]:
    return part.scenario.subject.fingerprint(), part.scenario.batch


def _mapped(hardware: Hardware) -> str:
    """Fingerprint of what a mapping depends on, whatever the datapath: chips that share it are mapped together."""
    content = hardware.model_dump(mode="json", include={"clock", "levels", "fill_and_drain", "systolic"})
    return digest("mapped", content)


def _content(
    space: Space, scenario: Scenario, layers: Mapping[str, str], known: Mapping[str, Robustness | None]
) -> dict[str, Any]:
    """What the designs of a scenario depend on, chips apart, as plain content."""
    subject, said = scenario.subject, known[scenario.subject.fingerprint()]
    measured = said and [
        sorted((copies, combiner, astuple(point)) for (copies, combiner), point in said.points.items()
               if combiner == scenario.combiner or len(copies) == 1),
        said.baseline_clean,
    ]  # fmt: skip
    return {
        "hwsim": __version__,
        "network": [layers[subject.fingerprint()], subject.network.model_dump(mode="json")],
        "quantize": TypeAdapter(Rule).dump_python(subject.quantize, mode="json"),
        "scenario": [scenario.batch, scenario.combiner, space.ensembles.weights_stay],
        "choices": asdict(choices(space.ensembles)),
        "wanted": [space.objectives, space.constraints, space.keep],
        "how": [space.timing, space.objective],
        "measured": measured,
    }


def _network(subject: Subject) -> Network:
    asked = subject.network
    return resolve(asked.name, 1, asked.parameters, asked.input_shape)
