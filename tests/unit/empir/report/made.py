"""Measurements with given results, for reports."""

from __future__ import annotations

from typing import Any

from scipy.stats import binomtest

from hwsim.spec.ensemble import NetworkReference, identity
from hwsim.spec.measurement import MeasuredMember, Measurement

FP, W2A4, W2A2 = (32, 32), (2, 4), (2, 2)
NORMS = {"fgsm": "linf", "bim": "linf", "pgd": "linf", "cw": "l2", "adaptive": "linf", "worst_case": "linf"}


def measured(
    widths: tuple[tuple[int, int], ...],
    attack: str,
    right: int,
    *,
    clean: int = 980,
    samples: int = 1000,
    accounting: str = "standard",
    combiner: str = "max_vote",
    defence: str = "none",
    network: str = "mnistconv",
    over: tuple[str, ...] = (),
    trained: int = 0,
    **changes: Any,
) -> Measurement:
    """So many right answers under an attack.

    Args:
        over: attacks of a worst case.
        trained: seed of the first member.
    """
    found = binomtest(right, samples).proportion_ci(0.95, "wilson")
    reference = NetworkReference(name=network)
    all_, own = ("released", "full_precision") if accounting == "released" else ("paper", "paper")
    gradient = {"fgsm": all_, "pgd": all_, "bim": own, "cw": own}.get(attack)
    fields: dict[str, Any] = {
        "ensemble": identity(reference, widths, combiner, "convs", 32),
        "network": reference,
        "quantize": "convs",
        "full_precision_bits": 32,
        "combiner": combiner,
        "members": tuple(
            MeasuredMember(weights=w, activations=a, seed=trained + i, checkpoint=f"{trained + i:064x}")
            for i, (w, a) in enumerate(widths)
        ),
        "training": {"epochs": 20, "defence": {"kind": defence}},
        "dataset": "mnist5k",
        "split": "test",
        "data": f"{samples:x}",
        "samples": samples,
        "attack": attack,
        "parameters": {"attacks": [{"attack": name} for name in over]} if over else {},
        "norm": NORMS.get(attack),
        "epsilon": 0.3 if NORMS.get(attack) == "linf" else None,
        "gradient": gradient,
        "accounting": accounting,
        "clean_accuracy": clean / samples,
        "robust_accuracy": right / samples,
        "interval": (found.low, found.high),
        "seed": 0,
        "versions": {"torch": "2.0"},
    }
    return Measurement.model_validate({**fields, **changes})


def confused(right: int, classes: int = 10, samples: int = 1000, shift: int = 1) -> tuple[tuple[int, ...], ...]:
    """A confusion matrix with so many right answers; a wrong one is the class `shift` further on."""
    each = samples // classes
    hits = [right // classes + (true < right % classes) for true in range(classes)]
    return tuple(
        tuple(
            hits[true] if decided == true else each - hits[true] if decided == (true + shift) % classes else 0
            for decided in range(classes)
        )
        for true in range(classes)
    )
