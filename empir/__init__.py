"""empir: train, quantise and attack ensembles of mixed-precision networks, and measure how robust they really are.

    import empir
    from hwsim import load_ensemble
    ensemble = load_ensemble("studies/sen_iclr2020/mnistconv.yaml")
    digits = empir.load("mnist5k", "test")

The flow: `load` reads images; `build_member` makes a network at a member's precision; `train_member` trains it, and
`load_members` puts trained members together; `surrogate` names the gradient that an attack follows, and `run` attacks;
`load_target` names an ensemble and the images it is asked about, `measure` counts what is left after attacks, `verify`
asks whether that is real, and both make measurements, which hwsim reads.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from hwsim import __version__ as __version__

if TYPE_CHECKING:
    from empir.attacks import attack as attack
    from empir.attacks.interface import Attack as Attack, run as run
    from empir.data import load as load
    from empir.data.dataset import Dataset as Dataset
    from empir.ensemble.module import EnsembleModule as EnsembleModule
    from empir.ensemble.surrogates import surrogate as surrogate
    from empir.evaluation.measure import measure as measure
    from empir.evaluation.target import Target as Target, load_target as load_target
    from empir.evaluation.verify import verify as verify
    from empir.networks import build as build, build_member as build_member
    from empir.quantization.export import export_onnx as export_onnx
    from empir.quantization.layers import freeze as freeze, quantize as quantize
    from empir.training.recipe import Recipe as Recipe
    from empir.training.train import load_members as load_members, train_member as train_member

#: Public name -> the module that defines it, imported at the name's first use (PEP 562).
_HOME = {
    "Attack": "empir.attacks.interface",
    "Dataset": "empir.data.dataset",
    "EnsembleModule": "empir.ensemble.module",
    "Recipe": "empir.training.recipe",
    "Target": "empir.evaluation.target",
    "attack": "empir.attacks",
    "build": "empir.networks",
    "build_member": "empir.networks",
    "export_onnx": "empir.quantization.export",
    "freeze": "empir.quantization.layers",
    "load": "empir.data",
    "load_members": "empir.training.train",
    "load_target": "empir.evaluation.target",
    "measure": "empir.evaluation.measure",
    "quantize": "empir.quantization.layers",
    "run": "empir.attacks.interface",
    "surrogate": "empir.ensemble.surrogates",
    "train_member": "empir.training.train",
    "verify": "empir.evaluation.verify",
}

if not TYPE_CHECKING:  # a checker sees the imports above, and so still reports a misspelt name

    def __getattr__(name: str) -> object:
        if name not in _HOME:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = globals()[name] = getattr(import_module(_HOME[name]), name)
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
