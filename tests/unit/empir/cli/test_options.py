"""How values of options are read."""

from __future__ import annotations

from typing import Any

import click
import pytest
import torch

from empir.cli.options import changes, names, resolve_device, setting
from hwsim.errors import SpecError


def test_names_are_separated_by_commas() -> None:
    assert names("fgsm") == ("fgsm",)
    assert names("fgsm, cw,pgd") == ("fgsm", "cw", "pgd")
    for wrong in ("", "fgsm,", "fgsm,,cw", "cw,fgsm,cw"):
        with pytest.raises(click.BadParameter):
            names(wrong)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("pgd.iterations=100", ("pgd", "iterations", 100)),
        ("pgd.epsilon=0.3", ("pgd", "epsilon", 0.3)),
        ("pgd.epsilon = 8e-3", ("pgd", "epsilon", 0.008)),
        ("cw.early=false", ("cw", "early", False)),
        ("x.sizes=[1, 2]", ("x", "sizes", [1, 2])),
        ("x.nothing=null", ("x", "nothing", None)),
        ("x.norm= linf ", ("x", "norm", "linf")),
        ("x.text=a=b.c", ("x", "text", "a=b.c")),
    ],
)
def test_a_setting_names_a_field_and_its_value(text: str, expected: tuple[str, str, Any]) -> None:
    assert setting(text) == expected


@pytest.mark.parametrize("text", ["pgd.iterations", "iterations=3", ".iterations=3", "pgd.=3", "pgd.iterations=", "="])
def test_half_a_setting_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter, match=r"as in pgd\.iterations=100"):
        setting(text)


def test_settings_are_collected_by_name() -> None:
    given = (("pgd", "iterations", 100), ("cw", "steps", 9), ("pgd", "epsilon", 0.1))
    assert changes(given) == {"pgd": {"iterations": 100, "epsilon": 0.1}, "cw": {"steps": 9}}
    assert changes(()) == {}
    with pytest.raises(click.UsageError, match=r"pgd\.epsilon is given twice"):
        changes((*given, ("pgd", "epsilon", 0.2)))


@pytest.mark.parametrize(
    ("name", "gpu", "expected"),
    [("cpu", True, "cpu"), ("cuda", True, "cuda"), ("auto", True, "cuda"), ("auto", False, "cpu")],
)
def test_a_device_is_found(name: str, gpu: bool, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    assert resolve_device(name) == torch.device(expected)


def test_a_gpu_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SpecError, match="--device: torch finds no GPU"):
        resolve_device("cuda")
