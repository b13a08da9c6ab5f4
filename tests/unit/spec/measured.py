"""A measurement of twelve samples, counted by hand, from which the tests make others."""

from __future__ import annotations

import json
from typing import Any

from hwsim.spec.ensemble import Ensemble
from hwsim.spec.measurement import Measurement

#: One full-precision member and two copies at 2-bit weights and 4-bit activations.
ENSEMBLE = Ensemble.model_validate(
    {
        "name": "three",
        "network": "mnistconv",
        "members": [{"weights": 32, "activations": 32}, {"weights": 2, "activations": 4, "count": 2}],
        "combiner": "max_vote",
        "quantize": "convs",
    }
)

#: 9 of 12 right when clean, 3 of these also under PGD, and 1 right under PGD alone.
LINE: dict[str, Any] = {
    "schema": "hwsim.measurement/1",
    "ensemble": ENSEMBLE.identity(),
    "network": {"name": "mnistconv", "input_shape": None, "parameters": {}},
    "quantize": "convs",
    "full_precision_bits": 32,
    "combiner": "max_vote",
    "members": [
        {"weights": 32, "activations": 32, "seed": 7, "checkpoint": "a" * 64},
        {"weights": 2, "activations": 4, "seed": 8, "checkpoint": "b" * 64},
        {"weights": 2, "activations": 4, "seed": 9, "checkpoint": "c" * 64},
    ],
    "training": {"epochs": 3, "defence": {"kind": "none"}},
    "dataset": "mnist5k",
    "split": "test",
    "data": "0123456789abcdef",
    "samples": 12,
    "attack": "pgd",
    "parameters": {"epsilon": 0.3, "step": 0.01, "iterations": 40, "restarts": 1},
    "norm": "linf",
    "epsilon": 0.3,
    "gradient": "paper",
    "accounting": "standard",
    "clean_accuracy": 0.75,
    "robust_accuracy": 0.25,
    "interval": [0.0889, 0.5323],
    "median_distortion": 0.25,
    "confusion": [[3, 3], [5, 1]],
    "seed": 0,
    "versions": {"torch": "2.13"},
}


def changed(**fields: Any) -> dict[str, Any]:
    """The content of the line with some fields changed."""
    return {**LINE, **fields}


def measurement(**fields: Any) -> Measurement:
    """The measurement with some fields changed."""
    return Measurement.model_validate(changed(**fields))


def line(**fields: Any) -> str:
    """The text of the line with some fields changed."""
    return json.dumps(changed(**fields))
