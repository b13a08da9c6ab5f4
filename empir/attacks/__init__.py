"""Attacks: one a file, found by listing this folder."""

from __future__ import annotations

from importlib import import_module
from inspect import isabstract
from pkgutil import iter_modules

from pydantic import ValidationError

from empir.attacks.interface import Attack, ClassLogits, decisions, run
from hwsim.errors import Fault, SpecError, did_you_mean, shown

__all__ = ["ATTACKS", "Attack", "ClassLogits", "attack", "decisions", "run"]


def _attacks() -> dict[str, type[Attack]]:
    """Every attack in this folder by its name."""
    found = {
        member.name: member
        for module in iter_modules(__path__, prefix=f"{__name__}.")
        for member in vars(import_module(module.name)).values()
        if isinstance(member, type) and issubclass(member, Attack) and not isabstract(member)
    }
    return dict(sorted(found.items()))


#: Attacks by name.
ATTACKS = _attacks()


def attack(name: str, dataset: str, **changes: object) -> Attack:
    """An attack with the parameters that Sen et al. (2020) used on a data set, some of them changed.

    Raises:
        SpecError: an unknown attack or parameter, a value that it cannot take, or a data set that the paper does not
            give an epsilon for, where none is given either.
    """
    if name not in ATTACKS:
        hint = did_you_mean(name, ATTACKS) or f" (there are: {', '.join(ATTACKS)})"
        raise SpecError([Fault(f"no attack is named {shown(name)}{hint}")])
    kind = ATTACKS[name]
    try:
        return kind.model_validate(kind.published(dataset) | changes)
    except ValidationError as error:
        raise SpecError(
            Fault(
                _said(item["type"], item["msg"], str(item["loc"][0]), kind, dataset), field=f"{name}.{item['loc'][0]}"
            )
            for item in error.errors()
        ) from None


def _said(problem: str, message: str, field: str, kind: type[Attack], dataset: str) -> str:
    """What is wrong with one parameter."""
    if problem == "extra_forbidden":
        known = f" (there are: {', '.join(kind.model_fields)})"
        return f"no such parameter{did_you_mean(field, kind.model_fields) or known}"
    if problem == "missing":
        return f"must be given: none was published for the data set {shown(dataset)}"
    return message[:1].lower() + message[1:]
