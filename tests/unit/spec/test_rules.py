"""Which layers are quantised: the released EMPIR networks, and the corner cases by hand."""

from __future__ import annotations

import pytest

from hwsim.errors import SpecError
from hwsim.spec.rules import FullPrecision, Rule, quantized

CIFAR = [("conv1", "conv"), ("conv2", "conv"), ("conv3", "conv"), ("fc1", "gemm"), ("fc2", "gemm")]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("all", (True, True, True, True, True)),
        ("convs", (True, True, True, False, False)),
        ("except_first_and_last", (False, True, True, True, False)),
        (FullPrecision(full_precision=("conv2", "fc2")), (True, False, True, True, False)),
        (FullPrecision(full_precision=()), (True, True, True, True, True)),
    ],
)
def test_rules(rule: Rule, expected: tuple[bool, ...]) -> None:
    assert quantized(rule, CIFAR) == expected


@pytest.mark.parametrize(
    ("count", "expected"), [(0, ()), (1, (False,)), (2, (False, False)), (3, (False, True, False))]
)
def test_the_first_and_the_last_may_be_all_there_is(count: int, expected: tuple[bool, ...]) -> None:
    assert quantized("except_first_and_last", CIFAR[:count]) == expected


def test_depthwise_convolutions_are_convolutions() -> None:
    assert quantized("convs", [("a", "depthwise conv"), ("b", "batched gemm")]) == (True, False)


def test_a_rule_that_is_none_is_refused() -> None:
    with pytest.raises(SpecError, match=r"quantize: must be all, convs, except_first_and_last .*, not 'conv'"):
        quantized("conv", CIFAR)  # type: ignore[arg-type]


def test_every_unknown_layer_is_named() -> None:
    with pytest.raises(SpecError) as caught:
        quantized(FullPrecision(full_precision=("conv1", "cnov2", "x")), CIFAR)
    first, second = caught.value.faults
    assert first.field == "quantize.full_precision[1]"
    assert first.message.endswith("(did you mean conv2?)")
    assert second.field == "quantize.full_precision[2]"
    assert second.message.endswith("(there are: conv1, conv2, conv3, fc1, fc2)")
