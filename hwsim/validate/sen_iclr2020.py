"""EMPIR's ensembles (Sen, Ravindran, Raghunathan, ICLR 2020) on the machine that its Equation 6 assumes."""

from __future__ import annotations

from functools import cache

from hwsim.ensemble.ensemble_cost import EnsembleCost, map_ensemble
from hwsim.spec.ensemble import Ensemble, Member
from hwsim.spec.load import load_ensemble, load_hardware
from hwsim.validate._report import Report, Table, folder, percent, published

CHIP = "empir_ideal"


def run() -> Report:
    """Compare multiples of one full-precision network."""
    rows = published("sen_iclr2020", "facts.csv")
    lines = []
    for row in rows:
        cost = _cost(row["file"], row["members"], row["quantize"])
        quantity, value = row["quantity"], float(row["value"])
        simulated = 1 + float(getattr(cost.overhead, quantity))
        sums, layers = (float(getattr(form, quantity)) for form in (cost.equation6.sums, cost.equation6.layerwise))
        lines.append((row["case"], quantity, value, simulated, percent(simulated, value), sums, layers, row["source"]))
    columns = ("ensemble", "multiple of", "expected", "simulated", "error", "Equation 6", "layer by layer", "source")
    table = Table("Time and storage as multiples of one full-precision network.", columns, tuple(lines))
    return Report("sen_iclr2020", "Sen, Ravindran and Raghunathan, ICLR 2020", (table,), FINDINGS)


def ensemble(file: str, members: str, quantize: str) -> Ensemble:
    """One of the study's ensembles, with other members (`2/4 4/4`: weights/activations) or another rule if given."""
    chosen = load_ensemble(folder("sen_iclr2020") / f"{file}.yaml")
    changes: dict[str, object] = {}
    if members:
        widths = (text.split("/") for text in members.split())
        changes["members"] = tuple(Member(weights=int(w), activations=int(a)) for w, a in widths)
    if quantize:
        changes["quantize"] = quantize
    return chosen.model_copy(update=changes)


@cache
def _cost(file: str, members: str, quantize: str) -> EnsembleCost:
    return map_ensemble(ensemble(file, members, quantize), load_hardware(CHIP))


FINDINGS = (
    "The paper's two sums hold for networks that are quantised throughout. The released networks keep layers in 32 "
    "bits: counted layer by layer these enter at full price, and on this machine, whose memories cost no time, the "
    "simulation gives that count.",
)
