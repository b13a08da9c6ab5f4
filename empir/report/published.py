"""Table 2 of Sen, Ravindran and Raghunathan (ICLR 2020), and what it was measured on."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

#: Attacks of the table, in its order.
ATTACKS = ("cw", "fgsm", "bim", "pgd")

#: Defence -> the table's name of it.
DEFENCES = {
    "distillation": "Defensive Distill.",
    "input_gradient": "Inp. Grad. Reg.",
    "fgsm_adversarial": "FGSM Adv. Train",
    "pgd_adversarial": "PGD Adv. Train",
}
BASELINE, EMPIR = "Baseline FP", "EMPIR"


@dataclass(frozen=True)
class Benchmark:
    """A network of the table.

    Args:
        name: as the table has it.
        dataset: on which the paper measured it, and that data set's name in `empir.data.DATASETS`.
        low: weight and activation bits of the low-precision members of its EMPIR [bits]; one in full precision joins
            them (section 4.1; CIFARconv's are in the released code's README only).
    """

    name: str
    dataset: str
    reader: str
    low: tuple[tuple[int, int], ...]


_CIFARCONV = Benchmark("CIFARconv", "CIFAR-10", "cifar10", ((2, 2), (4, 2)))

#: Network of the zoo -> its benchmark.
BENCHMARKS: Mapping[str, Benchmark] = {
    "mnistconv": Benchmark("MNISTconv", "MNIST", "mnist", ((2, 4), (2, 4))),
    "cifarconv": _CIFARCONV,
    "cifarconv_released": _CIFARCONV,
    "alexnet": Benchmark("AlexNet", "ImageNet", "imagenet", ((2, 2), (4, 4))),
}


@dataclass(frozen=True)
class Published:
    """One row of the table, as shares.

    Args:
        attacked: accuracy under each of `ATTACKS`.
        average: of those, as printed.
    """

    approach: str
    clean: float
    attacked: Mapping[str, float]
    average: float


@cache
def rows(benchmark: str) -> tuple[Published, ...]:
    """The rows of one network, in the paper's order."""
    with Path(__file__).with_name("table2.csv").open(encoding="utf-8", newline="") as file:
        lines = csv.DictReader(line for line in file if not line.startswith("#"))
        return tuple(
            Published(
                approach=line["approach"],
                clean=_share(line["unperturbed_acc_pct"]),
                attacked={name: _share(line[f"{name}_pct"]) for name in ATTACKS},
                average=_share(line["average_pct"]),
            )
            for line in lines
            if line["network"] == benchmark
        )


def _share(percent: str) -> float:
    return round(float(percent) / 100, 6)
