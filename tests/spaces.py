"""Small design spaces: chips made of bitfusion, networks that are mapped in a second."""

from __future__ import annotations

from typing import Any

from hwsim.spec.space import Space

#: 11 ensembles of one network with two combiners on two chips: 44 designs.
TINY: dict[str, Any] = {
    "name": "tiny",
    "subjects": [{"network": "lenet5"}],
    "ensembles": {
        "full_precision": [0, 1],
        "low_precision": {"from": 0, "to": 2},
        "weights": [2, 4],
        "activations": [4],
        "combiner": ["average", "random_switch"],
        "batch": 1,
        "weights_stay": "streamed",
        "full_precision_bits": 8,
    },
    "chips": {
        "base": "bitfusion",
        "knobs": [
            {
                "name": "bandwidth",
                "path": "levels.DRAM.memories.DRAM.bandwidth",
                "values": ["64 bit/cycle", "192 bit/cycle"],
            }
        ],
    },
    "objectives": {"time_overhead": "minimise", "storage_overhead": "minimise", "low_precision": "maximise"},
    "constraints": {"time_overhead": 0.4, "storage_overhead": 0.6},
    "keep": "all",
}


def tiny(**changes: Any) -> Space:
    """The space with some fields changed; `ensembles__batch` is the field `batch` of `ensembles`."""
    content = {name: dict(value) if isinstance(value, dict) else value for name, value in TINY.items()}
    for name, value in changes.items():
        outer, _, inner = name.partition("__")
        if inner:
            content[outer][inner] = value
        else:
            content[outer] = value
    return Space.model_validate(content)
