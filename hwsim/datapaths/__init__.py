"""How one multiply at (weight, activation) bits is done: one style a file, found by listing this folder."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Annotated, Union

from pydantic import Field

from hwsim.datapaths.base import DatapathStyle, Mode, Modes

__all__ = ["STYLES", "Datapath", "DatapathStyle", "Mode", "Modes"]


def _styles() -> dict[str, type[DatapathStyle]]:
    """Every style in this folder, by the text of its `style` field."""
    found: dict[str, type[DatapathStyle]] = {}
    for module in iter_modules(__path__, prefix=f"{__name__}."):
        for member in vars(import_module(module.name)).values():
            if isinstance(member, type) and issubclass(member, DatapathStyle) and member.__module__ == module.name:
                for name in getattr(member.model_fields["style"].annotation, "__args__", ()):
                    found[name] = member
    return found


#: Styles by the name that a hardware file gives them.
STYLES = _styles()

if TYPE_CHECKING:
    Datapath = DatapathStyle
else:
    #: Any style, told apart by `style:`.
    Datapath = Annotated[Union[tuple(STYLES.values())], Field(discriminator="style")]  # noqa: UP007
