"""What `hwsim search` found, as one plain object and as flat rows."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from math import isnan
from typing import TYPE_CHECKING

from hwsim import __version__
from hwsim.report.records import Record

if TYPE_CHECKING:
    from hwsim.search.best.answers import Excess, Miss
    from hwsim.search.best.best import Found
    from hwsim.search.best.candidates import Design
    from hwsim.search.design.grid import Chip
    from hwsim.spec.space import Space

SCHEMA = "hwsim/search/1"


def search_record(space: Space, chips: Sequence[Chip], found: Sequence[Found]) -> Record:
    """What `hwsim search --json` prints: shares and SI units; what is not known is null."""
    return {
        "schema": SCHEMA,
        "version": __version__,
        "name": space.name,
        "chips": [{"hardware": chip.hardware.name, "knobs": chip.knobs, "area": chip.area} for chip in chips],
        "accuracy": space.accuracy,
        "timing": space.timing,
        "objective": space.objective,
        "objectives": dict(space.objectives),
        "constraints": dict(space.constraints),
        "satisfied": any(one.survey.feasible for one in found),
        "networks": [_network(one) for one in found],
    }


def search_rows(record: Record) -> Iterator[Record]:
    """One flat row a design that was measured or should be."""
    for network in record["networks"]:
        for design in network["designs"]:
            knobs = {f"knob: {name}": value for name, value in design["knobs"].items()}
            plain = {key: value for key, value in design.items() if not isinstance(value, dict | list)}
            fails = "; ".join(excess["quantity"] for excess in design["excesses"])
            subject = {"network": network["network"], "quantize": network["quantize"]}
            yield {**subject, **knobs, **plain, **design["columns"], "fails": fails}


def _network(found: Found) -> Record:
    subject, survey, answers = found.subject, found.survey, found.answers
    flags = {id(one): "yes" for one in answers.front} | {id(one): "maybe" for one in answers.unsure}
    rule = subject.model_dump(mode="json")["quantize"]
    return {
        "network": subject.network.name,
        "quantize": rule if isinstance(rule, str) else json.dumps(rule),
        "dataset": subject.dataset,
        "epsilon": subject.epsilon,
        "defence": subject.defence,
        "measurements": subject.measurements,
        "clean_accuracy_of_baseline": found.known.baseline_clean if found.known else None,
        "measured_otherwise": dict(found.elsewhere),
        "counts": {
            "designs": survey.designs,
            "unmapped": survey.unmapped,
            "within": dict(survey.within),
            "cost_feasible": survey.cost_feasible,
            "feasible": survey.feasible,
            "measured": len(survey.measured),
        },
        "infeasible_chips": [{"knobs": chip.knobs, "why": why} for chip, why in survey.refused],
        "front": {
            "over": list(answers.objectives),
            "unknown": list(answers.unknown),
            "within_limits": bool(answers.best),
            "not_told_apart": answers.alike,
        },
        "designs": [
            *(_design(found, one, flags.get(id(one), "no")) for one in answers.best),
            *(_design(found, miss.design, flags.get(id(miss.design), "no"), miss) for miss in answers.misses),
            *(_design(found, one, "no", commands=True) for one in found.unmeasured),
        ],
        "evaluation": asdict(found.evaluation) if found.evaluation else None,
    }


def _design(found: Found, one: Design, front: str, miss: Miss | None = None, commands: bool = False) -> Record:
    from hwsim.search.design.ensembles import members_text

    ensemble = one.ensemble(found.space)
    return {
        "configuration": members_text(one.copies, ensemble.full_precision_bits),
        "combiner": ensemble.combiner if len(one.copies) > 1 else None,
        "batch": one.scenario.batch,
        "hardware": one.chip.hardware.name,
        "knobs": dict(one.chip.knobs),
        "ensemble": ensemble.identity(),
        "measured": not commands,
        "on_front": front,
        "columns": {name: None if isnan(value) else value for name, value in one.columns.items()},
        "excesses": [_excess(excess) for excess in miss.excesses] if miss else [],
        "commands": _commands(found, one) if commands else [],
    }


def _excess(excess: Excess) -> Record:
    return {**asdict(excess), "value": None if isnan(excess.value) else excess.value}


def _commands(found: Found, one: Design) -> list[str]:
    """What a shell runs to measure an ensemble: its file is written, its members are trained, then it is attacked."""
    import shlex
    from dataclasses import replace

    from hwsim.search.measured.evaluate import ensemble_file, ensemble_json, how_to_measure

    ensemble = one.ensemble(found.space)
    subject = found.empir.subject
    named = {"dataset": subject.dataset or "DATASET", "measurements": subject.measurements or "measurements.jsonl"}
    empir = replace(found.empir, command=("empir",), subject=subject.model_copy(update=named))
    path = ensemble_file(ensemble, empir)
    write = f"mkdir -p {shlex.quote(str(path.parent))} && echo {shlex.quote(ensemble_json(ensemble))} > "
    return [write + shlex.quote(str(path)), *map(shlex.join, how_to_measure(ensemble, empir))]
