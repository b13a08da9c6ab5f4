"""Distinct layers of several networks mapped per second, in one process."""

from __future__ import annotations

from time import process_time

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

import hwsim
from benchmarks.judge import Judge

NETWORKS = ("alexnet", "mobilenet_v2", "bert_base")


@pytest.mark.benchmark(timer=process_time)
@pytest.mark.parametrize(("chip", "bits"), [("turing", 32), ("simple_s2", 16)])
def test_layers(benchmark: BenchmarkFixture, judge: Judge, chip: str, bits: int) -> None:
    hardware = hwsim.load_hardware(chip)
    nests = list(dict.fromkeys(layer.nest for name in NETWORKS for layer in hwsim.load_network(name).mac_layers))

    def search() -> list[hwsim.LayerCost]:
        return [hwsim.map_layer(nest, hardware, bits, bits) for nest in nests]

    proofs = [cost.certificate for cost in benchmark.pedantic(search, rounds=1)]
    proven = sum(proof.proven for proof in proofs)
    spaces, priced = sum(proof.space for proof in proofs), sum(proof.priced for proof in proofs)
    decided = f"{spaces / judge.seconds:.1e} mappings/s decided, {priced / len(proofs):.0f} a layer priced"
    judge(
        f"{len(nests)} distinct layers on {chip}",
        len(nests) / judge.seconds,
        "layers/s",
        note=f"{proven} proven, {decided}",
    )
