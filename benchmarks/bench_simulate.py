"""Ensembles and layers played event by event, and a layer in SCALE-Sim 3 beside the same one played here.

What `hwsim simulate` maps lies in its cache, as it does after `hwsim map` of the same ensemble.

SCALE-Sim is installed into an environment of its own, which it needs: it stops under NumPy 2.4. Where that cannot be
done the comparison is left out. What is timed of it is its run alone, without the interpreter's start and the imports.
It follows every address of every cycle and hwsim the tiles of the same mapping: both find the same cycles, without
stalls, and that is what the ratio is of.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from statistics import median
from time import process_time

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

import hwsim as api
from benchmarks.judge import Judge
from benchmarks.process import ROOT, Run, hwsim, judge_runs
from hwsim.cost.layer import price
from hwsim.simulate.layer.play import play
from hwsim.simulate.layer.played import Played
from hwsim.validate._report import published
from hwsim.validate.scalesim import BITS, array, lowered, stationary

#: Bytes in what a goal calls a megabyte.
MB = 1e6

#: What SCALE-Sim is given; a layout that nothing reads has to be there all the same.
CONFIGURATION = """
[general]
run_name = layer
[architecture_presets]
ArrayHeight = {rows}
ArrayWidth = {columns}
IfmapSramSzkB = 128
FilterSramSzkB = 128
OfmapSramSzkB = 128
IfmapOffset = 0
FilterOffset = 10000000
OfmapOffset = 20000000
Dataflow = {dataflow}
Bandwidth = 32
ReadRequestBuffer = 64
WriteRequestBuffer = 64
[layout]
IfmapCustomLayout = False
IfmapSRAMBankBandwidth = 10
IfmapSRAMBankNum = 10
IfmapSRAMBankPort = 2
FilterCustomLayout = False
FilterSRAMBankBandwidth = 10
FilterSRAMBankNum = 10
FilterSRAMBankPort = 2
[sparsity]
SparsitySupport = false
[run_presets]
InterfaceBandwidth = CALC
UseRamulatorTrace = False
"""
TOPOLOGY = """layer, height, width, R, S, C, K, stride,
{layer}, {height}, {width}, {R}, {S}, {C}, {K}, {stride},
"""
LAYOUT = f"layer,\n{{layer}}, {'1, ' * 21}\n"
SCRIPT = """
from time import process_time
from scalesim.scale_sim import scalesim
begin = process_time()
simulation = scalesim(True, False, "layer.cfg", "topology.csv", "layout.csv")
simulation.run_scale("out")
print(process_time() - begin)
"""


@pytest.mark.parametrize(("ensemble", "goal"), [("mnistconv", 1.0), ("alexnet", 10.0)])
def test_ensemble(benchmark: BenchmarkFixture, judge: Judge, tmp_path: Path, ensemble: str, goal: float) -> None:
    command = ["simulate", "--ensemble", str(ROOT / f"studies/sen_iclr2020/{ensemble}.yaml"), "--hw", "turing"]
    first = hwsim(*command, cache=tmp_path)
    runs: list[Run] = []
    benchmark.pedantic(lambda: runs.append(hwsim(*command, cache=tmp_path)), rounds=5)
    assert all(run.output == first.output for run in runs)
    judge_runs(judge, f"hwsim simulate {ensemble} on turing", runs, goal)
    judge(f"{ensemble} on turing, peak memory", max(run.peak for run in runs) / MB, "MB", at_most=500)


@pytest.mark.benchmark(timer=process_time)
@pytest.mark.parametrize(("layer", "chip"), [("conv3", "bitfusion"), ("conv3", "tpu_v1"), ("conv1", "nvdla_large")])
def test_tiles(benchmark: BenchmarkFixture, judge: Judge, layer: str, chip: str) -> None:
    """A layer of AlexNet in 8 bits, everything played and with what repeats itself skipped."""
    (nest,) = (each.nest for each in api.load_network("alexnet").mac_layers if each.name == layer)
    cost = api.map_layer(nest, api.load_hardware(chip), 8, 8)
    begin = process_time()
    everything = play(cost, exact=True)
    exact = process_time() - begin
    skipping = benchmark.pedantic(lambda: play(cost), rounds=1)
    assert skipping.cycles == everything.cycles
    where, skipped = f"alexnet {layer} on {chip}", f"{skipping.skipped / skipping.tiles:.0%} of the tiles skipped"
    judge(f"{where}, every tile played", everything.events / exact, "events/s", note=f"{everything.tiles:,} tiles")
    judge(
        f"{where}, equivalent by skipping",
        everything.events / judge.seconds,
        "events/s",
        at_least=200_000,
        note=skipped,
    )


@pytest.fixture(scope="module")
def scalesim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment that has SCALE-Sim."""
    folder = tmp_path_factory.mktemp("scalesim")
    python = folder / "bin/python"
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "scalesim==3.0.0", "numpy<2.4"]
    for step in ([sys.executable, "-m", "venv", folder], install):
        done = subprocess.run(list(map(str, step)), capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"SCALE-Sim cannot be installed: {done.stderr.strip()[-300:]}")
    return python


@pytest.mark.parametrize("dataflow", ["ws", "os"])
def test_scalesim(benchmark: BenchmarkFixture, judge: Judge, scalesim: Path, tmp_path: Path, dataflow: str) -> None:
    """AlexNet's third convolution on 32 x 32 elements: the same cycles, and how much sooner they are known."""
    wanted = {"network": "alexnet", "layer": "Conv3", "rows": "32", "dataflow": dataflow}
    (row,) = (row for row in published("scalesim", "stallfree.csv") if wanted.items() <= row.items())
    files = {"layer.cfg": CONFIGURATION, "topology.csv": TOPOLOGY, "layout.csv": LAYOUT}
    for name, text in files.items():
        (tmp_path / name).write_text(text.format(**row))
    done = subprocess.run([scalesim, "-c", SCRIPT], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    theirs = float(done.stdout.split()[-1])
    nest, hardware = lowered(row), array(row)
    seconds: list[float] = []

    def ours() -> Played:
        begin = process_time()
        played = play(price(nest, hardware, stationary(nest, hardware), BITS, BITS), exact=True)
        seconds.append(process_time() - begin)
        return played

    played = benchmark.pedantic(ours, rounds=5)
    assert played.cycles == int(row["cycles"]) + 1  # it counts from 0
    usual = median(seconds)
    judge(
        f"SCALE-Sim's CPU time / ours, AlexNet conv3, 32x32 {dataflow}", theirs / usual, "x",
        note=f"{theirs:.3g} s, {usual:.3g} s, all {played.tiles:,} tiles played",
    )  # fmt: skip
