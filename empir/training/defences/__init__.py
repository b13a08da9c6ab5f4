"""Defences: one a file, found by listing this folder."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from inspect import isabstract
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Annotated, Any, Union

from pydantic import Field, ValidationError

from empir.training.defences.interface import Defence
from empir.training.refusal import refused
from hwsim.errors import Fault, SpecError, did_you_mean, shown

__all__ = ["DEFENCES", "AnyDefence", "Defence", "defence"]


def _defences() -> dict[str, type[Defence]]:
    """Every defence in this folder by its kind."""
    found = {
        member.model_fields["kind"].default: member
        for module in iter_modules(__path__, prefix=f"{__name__}.")
        for member in vars(import_module(module.name)).values()
        if isinstance(member, type) and issubclass(member, Defence) and not isabstract(member)
    }
    return dict(sorted(found.items()))


#: Defences by name.
DEFENCES = _defences()

if TYPE_CHECKING:
    AnyDefence = Defence
else:
    #: Any defence, told apart by `kind`.
    AnyDefence = Annotated[Union[tuple(DEFENCES.values())], Field(discriminator="kind")]  # noqa: UP007


def defence(name: str, dataset: str, changes: Mapping[str, Any] | None = None) -> Defence:
    """A defence with the parameters that Sen et al. (2020) used on a data set, some of them changed.

    Raises:
        SpecError: an unknown defence or parameter, or a value that it cannot take.
    """
    if name not in DEFENCES:
        hint = did_you_mean(name, DEFENCES) or f" (there are: {', '.join(DEFENCES)})"
        raise SpecError([Fault(f"no defence is named {shown(name)}{hint}")])
    kind = DEFENCES[name]
    try:
        return kind.model_validate({**kind.published(dataset), **(changes or {}), "kind": name})
    except ValidationError as error:
        raise refused(error, kind, "defence") from None
