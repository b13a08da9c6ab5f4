"""What a sampled search looks for in one network, how it evaluates a design, and what makes a row of the result."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from hwsim import __version__
from hwsim.errors import Fault, SpecError
from hwsim.importers import resolve
from hwsim.search.design.columns import COLUMNS
from hwsim.search.design.ensembles import blocks, ensemble_of, members_text
from hwsim.search.design.grid import Chip, Grid, Scenario, grid
from hwsim.search.measured.robustness import Robustness, robustness
from hwsim.search.sampled.outcomes import Outcome, Row, evaluate, judged, outcome_of
from hwsim.search.sampled.variables import Axes, Design, axes, design_named
from hwsim.spec.space import Sampled, Space, Subject
from hwsim.value import digest

if TYPE_CHECKING:
    from hwsim.search.sampled.pool import Job


@dataclass(frozen=True)
class Survey:
    """What is looked for among the designs of one network.

    Args:
        known: what measurements say of it.
    """

    space: Space
    engine: Sampled
    subject: Subject
    chips: Grid
    axes: Axes
    known: Robustness | None

    @cached_property
    def key(self) -> str:
        """Fingerprint of all that the trials depend on but their number: an edited space begins a new study."""
        space, asked = self.space, self.subject.network
        content = space.model_dump(mode="json", by_alias=True)
        guided = any(not COLUMNS[name].costs for name in (*space.objectives, *space.constraints))
        return digest(
            "trials",
            {
                "hwsim": __version__,
                "network": repr(resolve(asked.name, 1, asked.parameters, asked.input_shape)),
                "quantize": self.subject.model_dump(mode="json")["quantize"],
                "bases": [[base.name, base.text] for base in self.chips.bases],
                "knobs": content["chips"]["knobs"],
                "node": space.chips.node,
                **{name: content[name] for name in ("ensembles", "objectives", "constraints", "timing", "objective")},
                "engine": [self.engine.kind, self.engine.seed],
                "measured": self._measured if guided else [],
            },
        )

    @cached_property
    def part(self) -> str:
        """Fingerprint of all that the rows depend on but their number."""
        return digest("sampled", [self.key, self.space.keep, self._measured])

    @cached_property
    def _measured(self) -> list[Any]:
        points = self.known.points if self.known else {}
        return sorted([*key, *asdict(one).values()] for key, one in points.items())

    @cached_property
    def _chips(self) -> dict[tuple[int, ...], Chip | str]:
        return {}

    def chip(self, design: Design) -> Chip | str:
        """The chip of a design, or why there is none: not all values of knobs hold together."""
        if design.chip not in self._chips:
            try:
                self._chips[design.chip] = self.chips.chip(design.chip)
            except SpecError as error:
                self._chips[design.chip] = str(error)
        return self._chips[design.chip]

    @property
    def wanted(self) -> int:
        """How many designs are looked at."""
        return min(self.engine.trials, self.axes.size)

    def scenario(self, design: Design) -> Scenario:
        """What a design shares with others."""
        return Scenario(self.subject, design.batch, design.combiner)

    def job(self, design: Design, cache: bool) -> Job | Outcome:
        """How to evaluate a design, or why it cannot be."""
        chip, options, subject = self.chip(design), self.space.ensembles, self.subject
        if isinstance(chip, str):
            return Outcome({}, chip)
        ensemble = ensemble_of(
            subject.network,
            subject.quantize,
            design.combiner,
            design.batch,
            options.weights_stay,
            options.full_precision_bits,
            self.axes.copies(design),
        )
        return partial(evaluate, ensemble, chip.hardware, self.space.timing, self.space.objective, cache, __version__)

    def described(self, key: str) -> str:
        """A design in words, by its key."""
        design = design_named(key)
        chip = self.chip(design)
        knobs = "" if isinstance(chip, str) else "".join(f", {name} {value}" for name, value in chip.knobs.items())
        members = members_text(self.axes.copies(design), self.axes.choices.full)
        return f"{self.subject.network.name}: {members}, {design.combiner}, batch {design.batch}{knobs}"

    def columns(self, design: Design, outcome: Outcome) -> dict[str, float]:
        """All that is known of a design."""
        chip = self.chip(design)
        area = None if isinstance(chip, str) else chip.area
        return judged(self.space, outcome, self.known, self.axes.copies(design), design.combiner, area)

    def rows(self, results: Mapping[str, Any]) -> Iterator[Row]:
        """Designs that were evaluated; those of which there is no chip have no row.

        Args:
            results: content of their outcomes, by their keys.
        """
        for key, content in results.items():
            design = design_named(key)
            chip = self.chip(design)
            if isinstance(chip, Chip):
                scenario = Scenario(self.subject, design.batch, design.combiner)
                yield Row(chip, scenario, design, self.columns(design, outcome_of(content)))


def surveys(space: Space) -> tuple[Survey, ...]:
    """One for every subject of a space.

    Raises:
        SpecError: a file cannot be read, or an ensemble is not measured whose robustness is to guide a search.
    """
    if not isinstance(space.engine, Sampled):
        raise ValueError(f"the engine {space.engine.kind} does not sample")
    chips = grid(space)
    own = axes(space, chips)
    full = space.ensembles.full_precision_bits
    found = [
        Survey(space, space.engine, subject, chips, own, robustness(space.accuracy, subject, full))
        for subject in space.subjects
    ]
    faults = [fault for survey in found for fault in _unmeasured(survey)]
    if faults:
        raise SpecError(faults)
    return tuple(found)


def _unmeasured(survey: Survey) -> Iterator[Fault]:
    """What cannot guide a search, because of some ensemble nobody knows it."""
    for part in ("objectives", "constraints"):
        for name in getattr(survey.space, part):
            missing = None if COLUMNS[name].costs else _first_unmeasured(survey, name)
            if missing:
                message = (
                    f"cannot guide a search: that of {missing} is not measured, and nothing is guessed; let the "
                    "exhaustive engine write down all within the constraints on costs, and measure those"
                )
                yield Fault(message, field=f"{part}.{name}")


def _first_unmeasured(survey: Survey, name: str) -> str | None:
    for combiner in survey.axes.combiners:
        for block in blocks(survey.axes.choices):
            for row in range(len(block.members)):
                copies = block.copies(survey.axes.choices, row)
                found = survey.known.get(copies, combiner) if survey.known else None
                if found is None or (name == "clean_loss" and found.clean_loss is None):
                    return f"{members_text(copies, survey.axes.choices.full)}, {combiner}"
    return None
