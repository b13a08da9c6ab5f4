"""Which layers of a quantised member stay in full precision.

EMPIR's released networks do not quantise every layer: the fully connected layers of the MNIST and CIFAR networks and
the first and last layer of AlexNet stay in 32 bits (Sen et al., ICLR 2020, released code).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

from hwsim.errors import Fault, SpecError, did_you_mean, shown
from hwsim.value import Value

#: Kinds of layer that `convs` quantises: the labels of the convolution operators.
CONVOLUTIONS = frozenset({"conv", "depthwise conv"})


class FullPrecision(Value):
    """Every multiply-accumulate layer is quantised but those listed."""

    full_precision: tuple[str, ...]
    """Names of the layers that stay in full precision."""


#: `all` quantises every multiply-accumulate layer, `convs` the convolutions, `except_first_and_last` all but the first
#: and the last in order of execution.
Rule = Literal["all", "convs", "except_first_and_last"] | FullPrecision


def quantized(rule: Rule, layers: Sequence[tuple[str, str]]) -> tuple[bool, ...]:
    """Whether each layer runs at the bits of its member.

    Args:
        rule: see `Rule`.
        layers: name and kind of the multiply-accumulate layers in order of execution; the kind is the label of the
            operator, as in "conv" or "gemm".

    Raises:
        SpecError: the rule names layers that are not there.
    """
    if isinstance(rule, FullPrecision):
        names = [name for name, _ in layers]
        known = f" (there are: {', '.join(names)})" if names else ""
        unknown = [
            Fault(
                f"no multiply-accumulate layer is named {shown(name)}{did_you_mean(name, names) or known}",
                field=f"quantize.full_precision[{i}]",
            )
            for i, name in enumerate(rule.full_precision)
            if name not in names
        ]
        if unknown:
            raise SpecError(unknown)
        return tuple(name not in rule.full_precision for name in names)
    rules = get_args(get_args(Rule)[0])
    if rule not in rules:  # from Python, where nothing has checked it
        message = f"must be {', '.join(rules)} or a FullPrecision, not {shown(rule)}"
        raise SpecError([Fault(message, field="quantize")])
    if rule == "convs":
        return tuple(kind in CONVOLUTIONS for _, kind in layers)
    if rule == "except_first_and_last":
        return tuple(0 < i < len(layers) - 1 for i in range(len(layers)))
    return (True,) * len(layers)
