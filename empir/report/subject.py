"""What measurements are of: trained ensembles, each under a name that tells it from the others."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from empir.report.published import BASELINE, BENCHMARKS, DEFENCES, EMPIR
from hwsim.spec.measurement import Measurement


@dataclass(frozen=True)
class Subject:
    """One trained ensemble on one data set, with all that was measured of it.

    Args:
        measurements: at least one.
        apart: what tells it from another of the same approach and description, empty where nothing needs to.
    """

    measurements: tuple[Measurement, ...]
    apart: str = ""

    @property
    def one(self) -> Measurement:
        """Any measurement, for what all of them share."""
        return self.measurements[0]

    @property
    def approach(self) -> str:
        """As Table 2 calls it, or the description of an ensemble that is not in there."""
        defence = DEFENCES.get(self.one.defence, self.one.defence)
        defended = self.one.defence != "none"
        if self._widths == {None: 1}:
            return defence if defended else BASELINE
        name = EMPIR if self._is_the_paper_s else self.description
        return f"{name} ({defence})" if defended else name

    @property
    def description(self) -> str:
        """Members and combiner: `FP + 2×w2a4, max vote`."""
        members = (
            f"{f'{count}×' if count > 1 else ''}{'FP' if widths is None else f'w{widths[0]}a{widths[1]}'}"
            for widths, count in self._widths.items()
        )
        combiner = f", {self.one.combiner.replace('_', ' ')}" if len(self.one.members) > 1 else ""
        return " + ".join(members) + combiner

    @property
    def label(self) -> str:
        """Approach, members where the approach does not say them, and what tells it apart."""
        members = f": {self.description}" if self._is_the_paper_s else ""
        return f"{self.approach}{members}{f', {self.apart}' if self.apart else ''}"

    @property
    def _widths(self) -> dict[tuple[int, int] | None, int]:
        """Copies by weight and activation bits, None in full precision, which comes first."""
        full = (self.one.full_precision_bits,) * 2
        bits = [(member.weights, member.activations) for member in self.one.members]
        return dict(Counter(sorted((None if own == full else own for own in bits), key=lambda own: own is not None)))

    @property
    def _is_the_paper_s(self) -> bool:
        benchmark = BENCHMARKS.get(self.one.network.name)
        low = sorted((m.weights, m.activations) for m in self.one.members)
        full = (self.one.full_precision_bits,) * 2
        return benchmark is not None and low == sorted((*benchmark.low, full)) and self.one.combiner == "max_vote"


def subjects(measurements: Iterable[Measurement]) -> tuple[Subject, ...]:
    """Measurements by what they are of, in the order of their first."""
    found: defaultdict[str, list[Measurement]] = defaultdict(list)
    for measurement in measurements:
        members = [(member.seed, member.checkpoint) for member in measurement.members]
        place = [measurement.dataset, measurement.split, measurement.ensemble, members, measurement.training]
        found[json.dumps(place, sort_keys=True)].append(measurement)
    return tuple(_told_apart([Subject(tuple(own)) for own in found.values()]))


def _told_apart(all_: list[Subject]) -> Iterator[Subject]:
    alike: defaultdict[tuple[str, str, str, str], list[Subject]] = defaultdict(list)
    for subject in all_:
        alike[subject.one.network.name, subject.one.dataset, subject.one.split, subject.label].append(subject)
    names = {id(subject): name for group in alike.values() for subject, name in _differences(group)}
    return (replace(subject, apart=names[id(subject)]) for subject in all_)


def _differences(group: list[Subject]) -> Iterator[tuple[Subject, str]]:
    """What each has that not all of a group have; checkpoints where that does not tell them apart."""
    kept = [dict(_flat(_content(subject.one))) for subject in group]
    differing = [key for key in dict.fromkeys(key for content in kept for key in content) if _differs(kept, key)]
    told = [", ".join(f"{key} {content[key]}" for key in differing if key in content) for content in kept]
    for subject, text in zip(group, told, strict=True):
        first = subject.one.members[0].checkpoint[:8]
        yield subject, text if told.count(text) == 1 else ", ".join(filter(None, (text, f"checkpoint {first}")))


def _differs(contents: list[dict[str, Any]], key: str) -> bool:
    return len({json.dumps(content.get(key)) for content in contents}) > 1


def _content(measurement: Measurement) -> dict[str, Any]:
    quantize, network = measurement.quantize, measurement.network
    return {
        "seed": measurement.seed,
        "quantize": quantize if isinstance(quantize, str) else quantize.model_dump(mode="json"),
        "network": network.model_dump(mode="json", exclude={"name"}),
        **measurement.training,
    }


def _flat(content: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in content.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
