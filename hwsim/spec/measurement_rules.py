"""What must hold between the fields of a measurement, asked of plain nested data, which may be malformed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import lru_cache
from itertools import chain
from typing import Any, TypeGuard

from pydantic import ValidationError

from hwsim.spec.consistency import Finding, records
from hwsim.spec.ensemble import Ensemble

#: Classes up to which a measurement holds the confusion matrix.
MOST_CLASSES = 100

#: Rounding of what a file writes.
ROUNDING = 1e-9


def measurement_inconsistencies(data: Any) -> Iterator[Finding]:
    """Faults between the fields of a measurement, each with its location."""
    if isinstance(data, dict):
        yield from chain(_ensemble(data), _attack(data), _accuracies(data), _confusion(data))


def _ensemble(data: dict[str, Any]) -> Iterator[Finding]:
    trained: dict[str, int] = {}
    full = data.get("full_precision_bits")
    for i, member in records(data, "members"):
        for key in ("weights", "activations"):
            bits = member.get(key)
            if isinstance(bits, int) and isinstance(full, int) and bits > full:
                yield ("members", i, key), f"{bits} bits are wider than full precision, which is {full} bits"
        first = trained.setdefault(str(member.get("checkpoint")), i)
        if first < i and isinstance(member.get("checkpoint"), str):
            yield ("members", i, "checkpoint"), f"is that of members[{first}]: an answer would be counted twice"
    try:
        right = _identity(data)
    except (ValidationError, KeyError, TypeError):
        return  # the fields that it follows from have faults of their own
    if isinstance(data.get("ensemble"), str) and data["ensemble"] != right:
        yield ("ensemble",), f"must be {right}, which follows from network, members, combiner, quantize and widths"


def _identity(data: dict[str, Any]) -> str:
    widths = [{key: member[key] for key in ("weights", "activations")} for member in data["members"]]
    given = {key: data[key] for key in ("network", "combiner", "quantize", "full_precision_bits")}
    return _identity_of(json.dumps({"name": "measured", "members": widths, **given}))


@lru_cache
def _identity_of(ensemble: str) -> str:
    """A file has many lines of one ensemble."""
    return Ensemble.model_validate_json(ensemble).identity()


def _attack(data: dict[str, Any]) -> Iterator[Finding]:
    attack = data.get("attack")
    if attack == "none":
        for key in ("norm", "epsilon", "gradient"):
            if data.get(key) is not None:
                yield (key,), "must be null: nothing is attacked"
    elif attack in ("worst_case", "adaptive") and data.get("accounting") == "released":
        yield ("accounting",), f"must be standard: {attack} takes the worst of several attacks for every sample"
    if data.get("epsilon") is not None and "norm" in data and data["norm"] is None:
        yield ("norm",), "is missing: an epsilon is measured in a norm"
    training = data.get("training")
    defence = training.get("defence") if isinstance(training, dict) else None
    if isinstance(training, dict) and not (isinstance(defence, dict) and isinstance(defence.get("kind"), str)):
        yield ("training",), 'must name the defence, as in {"defence": {"kind": "none"}}'


def _accuracies(data: dict[str, Any]) -> Iterator[Finding]:
    clean, robust, interval = (data.get(key) for key in ("clean_accuracy", "robust_accuracy", "interval"))
    if not _share(robust):
        return
    if isinstance(interval, list) and len(interval) == 2 and all(map(_share, interval)):
        low, high = interval
        if not low - ROUNDING <= robust <= high + ROUNDING:
            yield ("interval",), f"must contain the robust accuracy, {robust:g}, but is {low:g} to {high:g}"
    samples = data.get("samples")
    if not _share(clean) or not _count(samples) or not samples:
        return
    half = 0.5 / samples
    if data.get("attack") == "none" and abs(robust - clean) > half:
        yield ("robust_accuracy",), f"must be the clean accuracy, {clean:g}: nothing is attacked"
    elif data.get("accounting") == "standard" and robust > clean + half:
        yield (
            ("robust_accuracy",),
            f"cannot exceed the clean accuracy, {clean:g}: a sample that is wrong when clean is not robust",
        )


def _confusion(data: dict[str, Any]) -> Iterator[Finding]:
    rows, samples, robust = data.get("confusion"), data.get("samples"), data.get("robust_accuracy")
    if rows is not None and data.get("combiner") == "random_switch":
        yield ("confusion",), "must be null: where members are drawn, a sample has no one decision"
        return
    if not isinstance(rows, list) or not all(isinstance(row, list) and all(map(_count, row)) for row in rows):
        return
    if len(rows) > MOST_CLASSES:
        yield ("confusion",), f"must be left out for more than {MOST_CLASSES} classes, here {len(rows)}"
    if any(len(row) != len(rows) for row in rows):
        yield ("confusion",), f"must be square: as many decisions as true classes, {len(rows)}, in every row"
        return
    counted = sum(map(sum, rows))
    if _count(samples) and counted != samples:
        yield ("confusion",), f"must count every sample once: {samples}, not {counted}"
    elif _count(samples) and _share(robust):
        right, robust_samples = sum(row[i] for i, row in enumerate(rows)), robust * samples
        exact = data.get("accounting") == "released" or data.get("attack") == "none"
        if right < robust_samples - 0.5 or (exact and right > robust_samples + 0.5):
            yield (
                ("confusion",),
                f"has {right} right decisions on its diagonal, but the robust accuracy means {robust_samples:.6g}",
            )


def _share(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1


def _count(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
