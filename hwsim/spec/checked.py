"""The data of a file against the model of what it describes: a value, or everything that is wrong."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TypeVar

from pydantic import ValidationError

from hwsim.errors import Fault, SpecError
from hwsim.spec import override
from hwsim.spec.consistency import Consistent
from hwsim.spec.document import Document, path_text
from hwsim.spec.explain import explain
from hwsim.units import UNITS_REQUIRED

Spec = TypeVar("Spec", bound=Consistent)


def checked(document: Document, model: type[Spec], overrides: Iterable[str]) -> Spec:
    """What a document describes, with changes from the command line.

    Raises:
        SpecError: with every fault found.
    """
    override.apply(overrides, document, model)
    value, faults = judged(document, model)
    if value is None or faults:
        raise SpecError(ordered(faults))
    return value


def judged(document: Document, model: type[Spec]) -> tuple[Spec | None, list[Fault]]:
    """What a document describes, if it does, and every fault of it."""
    value, faults = None, list(document.faults)
    try:
        # As JSON, because pydantic's strict JSON takes lists for tuples and text for enums, but no 2.0 for 2.
        value = model.model_validate_json(json.dumps(document.data), strict=True, context=UNITS_REQUIRED)
    except ValidationError as error:
        unread = {path_text(where) for where in document.unread}
        faults += (fault for fault in explain(error, document, model) if fault.field not in unread)
        # They ran too if every field was right; told again, the faults are equal.
        faults += (document.fault(why, where) for where, why in model.inconsistencies(document.data))
    return value, faults


def ordered(faults: Iterable[Fault]) -> list[Fault]:
    """Each fault once, in the order of the file, those of the command line first."""
    return sorted(dict.fromkeys(faults), key=lambda fault: (fault.line or 0, fault.column or 0))
