"""A design space out of a command line: one network, one chip, and what ensembles may be made of."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hwsim.errors import SpecError
from hwsim.spec.checked import judged, ordered
from hwsim.spec.document import Document, Location
from hwsim.spec.ensemble import NetworkReference
from hwsim.spec.limits import MEASURED
from hwsim.spec.measurement import Measurement, read_measurements
from hwsim.spec.rules import FullPrecision, Rule
from hwsim.spec.space import Space

#: What the front is over: as in the paper's tables, and energy.
OBJECTIVES = {
    "time_overhead": "minimise",
    "storage_overhead": "minimise",
    "energy_overhead": "minimise",
    "clean_accuracy": "maximise",
    "robust_accuracy": "maximise",
}

#: Options, by the field that each sets, for messages.
OPTIONS: dict[Location, str] = {
    ("subjects", 0, "network"): "--network",
    ("subjects", 0, "quantize"): "--quantize",
    ("subjects", 0, "dataset"): "--dataset",
    ("subjects", 0, "epsilon"): "--epsilon",
    ("subjects", 0, "defence"): "--defence",
    ("ensembles", "full_precision"): "--full-precision",
    ("ensembles", "low_precision"): "--low-precision",
    ("ensembles", "weights"): "--weights",
    ("ensembles", "activations"): "--activations",
    ("ensembles", "combiner"): "--combiner",
    ("ensembles", "batch"): "--batch",
    ("ensembles",): "--full-precision, --low-precision",
    ("constraints", "time_overhead"): "--time-overhead",
    ("constraints", "storage_overhead"): "--storage-overhead",
    ("constraints", "clean_loss"): "--clean-loss",
}


def space_of(
    subject: Mapping[str, Any],
    ensembles: Mapping[str, Any],
    constraints: Mapping[str, float],
    chip: str,
    **fields: Any,
) -> Space:
    """The space that options describe; of what nothing measures, neither objectives nor constraints.

    Args:
        fields: others of the space.

    Raises:
        SpecError: with every option that is not valid.
    """
    measured = subject.get("measurements") is not None
    data = {
        "name": f"{subject['network']['name']} on {chip}",
        "subjects": [dict(subject)],
        "ensembles": dict(ensembles),
        "chips": {"base": chip},
        "objectives": {name: sense for name, sense in OBJECTIVES.items() if measured or name not in MEASURED},
        "constraints": dict(constraints),
        **fields,
    }
    space, faults = judged(Document("", data, origins=OPTIONS), Space)
    if space is None or faults:
        raise SpecError(ordered(faults))
    return space


def measured_rules(file: Path, network: NetworkReference) -> tuple[Rule, ...]:
    """Rules of the low-precision members of a network that were measured.

    Raises:
        SpecError: the file cannot be read.
    """
    own = [one for one in read_measurements(file) if one.network == network and _quantised(one)]
    return tuple(dict.fromkeys(one.quantize for one in own))


def rule_of(text: str) -> Rule | str:
    """`convs`, or `all but fc` for layers that stay in full precision."""
    head, _, layers = text.partition(" but ")
    if head.strip() == "all" and layers:
        return FullPrecision(full_precision=tuple(layer.strip() for layer in layers.split(",")))
    return text


def _quantised(one: Measurement) -> bool:
    full = (one.full_precision_bits,) * 2
    return any((member.weights, member.activations) != full for member in one.members)
