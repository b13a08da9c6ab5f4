"""The gradient that each attack follows unless another is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

#: The surrogate of an attack that `FOLLOWED` does not name.
DEFAULT = "paper"

#: By accounting and attack: `released` is what EMPIR's code does; an attack without gradient gets scores that are not
#: piecewise constant, as votes are.
FOLLOWED: Mapping[Literal["standard", "released"], Mapping[str, str]] = {
    "standard": {"square": "mean_probability", "autoattack": "mean_probability"},
    "released": {
        "fgsm": "released",
        "pgd": "released",
        "cw": "full_precision",
        "bim": "full_precision",
        "square": "mean_probability",
        "autoattack": "mean_probability",
    },
}
