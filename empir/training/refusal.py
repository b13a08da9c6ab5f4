"""A user's faults in the fields of a value."""

from __future__ import annotations

from pydantic import ValidationError

from hwsim.errors import Fault, SpecError, did_you_mean
from hwsim.value import Value


def refused(error: ValidationError, model: type[Value], name: str) -> SpecError:
    """All faults that pydantic found in the fields of `name`."""

    def said(problem: str, message: str, field: str) -> str:
        if problem == "extra_forbidden":
            known = f" (there are: {', '.join(model.model_fields)})"
            return f"no such parameter{did_you_mean(field, model.model_fields) or known}"
        return message[:1].lower() + message[1:]

    found = ((item["type"], item["msg"], str(item["loc"][0])) for item in error.errors())
    return SpecError(Fault(said(kind, message, field), field=f"{name}.{field}") for kind, message, field in found)
