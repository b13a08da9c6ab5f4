"""Rounds of measurements through a command that stands for empir."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click import Context

from hwsim.errors import SpecError
from hwsim.search.design.ensembles import ensemble_of
from hwsim.search.measured.evaluate import (
    Empir,
    Entrant,
    Evaluation,
    ensemble_file,
    ensemble_json,
    evaluate,
    how_to_measure,
    known_of,
    run,
)
from hwsim.search.measured.rounds import Limits
from hwsim.spec.ensemble import Combiner, NetworkReference
from hwsim.spec.load import load_ensemble
from hwsim.spec.space import Subject
from tests.unit.search.measured.test_robustness import line, released, worst

FP, LOW, FOUR = (32, 32), (2, 4), (4, 4)
FAKE = Path(__file__).with_name("fake_empir.py")


class Bench:
    """A folder with the fake, and what it says of ensembles.

    Args:
        folder: of everything.
        size: images of the test split.
    """

    def __init__(self, folder: Path, size: int = 500) -> None:
        self.table, self.log = folder / "table.json", folder / "log"
        self.measurements = folder / "measurements.jsonl"
        self.told: dict[str, Any] = {"size": size, "log": str(self.log), "ensembles": {}}
        fields = {"network": "mnistconv", "quantize": "convs", "dataset": "mnist5k", "epsilon": 0.3}
        subject = Subject.model_validate({**fields, "measurements": str(self.measurements)})
        command = (sys.executable, "-S", str(FAKE), str(self.table))
        self.empir = Empir(subject, "verify", folder / "runs", command)

    def entrant(
        self, *copies: tuple[int, int], clean: float, robust: float, combiner: Combiner = "average", **more: Any
    ) -> Entrant:
        """An ensemble, and what will be measured of it."""
        made = ensemble_of(NetworkReference(name="mnistconv"), "convs", combiner, 1, "auto", 32, copies)
        content = json.loads(line(*copies, combiner=combiner).line())
        own = {"clean": clean, "robust": robust, "line": content} | more
        self.told["ensembles"][f"{made.name}, {combiner}"] = own
        self.table.write_text(json.dumps(self.told))
        return Entrant(made)

    def run(self, *entrants: Entrant, costs: list[float], loss: float | None = 0.02, **options: Any) -> Evaluation:
        array = np.array(costs, dtype=float).reshape(len(entrants), 1, 1)
        return evaluate(entrants, array, Limits(clean_loss=loss), self.empir, **options)

    @property
    def asked(self) -> list[list[str]]:
        """What the fake was asked, in order."""
        return [json.loads(text) for text in self.log.read_text().splitlines()] if self.log.exists() else []

    def attacks(self) -> list[tuple[str, int]]:
        """Of which file's ensemble, on how many samples."""
        found = []
        for verb, *options in self.asked:
            given = dict(zip(options[::2], options[1::2], strict=True))
            if verb != "train":
                name = json.loads(Path(given["--ensemble"]).read_text())["name"]
                found.append((str(name), int(given["--limit"])))
        return found


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_the_hopeless_are_attacked_once_and_the_hopeful_to_the_end(bench: Bench) -> None:
    alone = bench.entrant(FP, clean=0.96, robust=0.0)
    hopeless = bench.entrant(LOW, LOW, clean=0.40, robust=0.0)
    good = bench.entrant(FP, LOW, clean=0.96, robust=0.5)
    beaten = bench.entrant(FP, FOUR, clean=0.80, robust=0.1)
    done = bench.run(alone, hopeless, good, beaten, costs=[0.0, -0.5, 0.1, 0.2], loss=0.3)
    assert bench.attacks() == [
        ("fp", 100), ("2 w2a4", 100), ("fp + w2a4", 100), ("fp + w4a4", 100),
        ("fp", 400), ("fp + w2a4", 400), ("fp + w4a4", 400),
        # The first of the last round finds that there are no 1,600: the rest are asked for as many as there are.
        ("fp", 1600), ("fp + w2a4", 500),
    ]  # fmt: skip
    assert [(one.samples, one.measured, one.out) for one in done.rounds] == [
        (100, 4, ("2 w2a4, average",)),
        (400, 3, ("fp + w4a4, average",)),
        (500, 2, ()),
    ]
    known = known_of(bench.empir)
    found = known.get((FP, LOW), "average")
    assert found is not None
    assert (found.samples, found.robust, found.clean_loss) == (500, 0.5, 0.0)


def test_members_are_trained_before_their_first_attack_and_only_then(bench: Bench) -> None:
    vote = bench.entrant(FP, LOW, clean=0.9, robust=0.5, combiner="max_vote")
    mean = bench.entrant(FP, LOW, clean=0.9, robust=0.5)
    bench.run(vote, mean, costs=[0.1, 0.1], most=200)
    assert [verb for verb, *_ in bench.asked] == ["train", "verify", "verify", "verify", "verify"]


def test_what_is_measured_already_is_not_run_again(bench: Bench) -> None:
    first = [bench.entrant(FP, clean=0.9, robust=0.0), bench.entrant(FP, LOW, clean=0.9, robust=0.5)]
    bench.run(*first, costs=[0.0, 0.1], most=400)
    before = len(bench.asked)
    done = bench.run(*first, costs=[0.0, 0.1], most=400)
    assert len(bench.asked) == before
    assert [one.measured for one in done.rounds] == [0, 0]
    again = bench.run(*first, bench.entrant(LOW, clean=0.9, robust=0.6), costs=[0.0, 0.1, 0.05], most=400)
    assert [one.measured for one in again.rounds] == [1, 1]


def test_what_is_only_known_may_beat_but_is_not_attacked(bench: Bench) -> None:
    strong = bench.entrant(FP, LOW, clean=0.9, robust=0.8)
    bench.run(strong, costs=[0.1], most=100)
    weak = bench.entrant(FP, FOUR, clean=0.5, robust=0.1)
    known = replace(strong, attacked=False)
    done = bench.run(known, weak, costs=[0.1, 0.2], loss=None, most=400, first=100)
    assert done.rounds[0].out == ("fp + w4a4, average",)
    assert bench.attacks() == [("fp + w2a4", 100), ("fp + w4a4", 100)]


def test_a_failure_costs_one_ensemble(bench: Bench) -> None:
    bad = bench.entrant(LOW, clean=0.9, robust=0.5, fails="training 3 of 9\n\nout of memory")
    good = bench.entrant(FP, LOW, clean=0.9, robust=0.5)
    told: list[str] = []
    done = bench.run(bad, good, costs=[0.0, 0.1], loss=None, most=400, tell=told.append)
    (failure,) = done.failures
    assert (failure.ensemble, failure.reason) == ("w2a4", "training 3 of 9; out of memory")
    assert " train --ensemble " in failure.command
    assert any("out of memory" in text for text in told)
    assert bench.attacks() == [("fp + w2a4", 100), ("fp + w2a4", 400)]


def test_a_command_that_says_it_is_done_but_measured_nothing_has_failed(bench: Bench) -> None:
    one = bench.entrant(LOW, clean=0.9, robust=0.5)
    bench.told["ensembles"]["w2a4, average"]["line"]["attack"] = "pgd"
    bench.table.write_text(json.dumps(bench.told))
    (failure,) = bench.run(one, costs=[0.0], loss=None).failures
    assert "appended no measurement that counts (verify)" in failure.reason


def test_a_command_that_is_not_there() -> None:
    assert run(["/nowhere/empir"]) == "cannot be run: No such file or directory"
    assert run([sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"]) == "it was ended by SIGKILL"
    assert run([sys.executable, "-c", "raise SystemExit(3)"]) == "exit code 3"
    assert run([sys.executable, "-c", ""]) is None


def test_the_baseline_is_measured_to_the_end_though_others_beat_it(bench: Bench) -> None:
    alone = bench.entrant(FP, clean=0.9, robust=0.0)
    better = bench.entrant(LOW, clean=0.95, robust=0.6)
    bench.run(alone, better, costs=[0.0, -0.5])
    assert ("fp", 500) in bench.attacks() or ("fp", 1600) in bench.attacks()


@pytest.mark.parametrize(
    ("accuracy", "options"),
    [
        ("verify", "verify --set adaptive.epsilon=0.3"),
        (
            "standard",
            "attack --attack fgsm,bim,pgd --set fgsm.epsilon=0.3 --set bim.epsilon=0.3 --set pgd.epsilon=0.3",
        ),
        (
            "released",
            "attack --attack fgsm,bim,pgd,cw --set fgsm.epsilon=0.3 --set bim.epsilon=0.3 --set pgd.epsilon=0.3 "
            "--accounting released",
        ),
    ],
)
def test_each_way_to_count_has_its_command(bench: Bench, accuracy: Any, options: str) -> None:
    made = bench.entrant(FP, LOW, clean=0.9, robust=0.5).ensemble
    settings = ("recipe.epochs=2", "adaptive.iterations=9")
    own = replace(bench.empir, accuracy=accuracy, options=("--device", "cpu"), settings=settings, command=("empir",))
    train, attack = how_to_measure(made, own, 100)
    verb, *rest = options.split()
    file, runs = str(ensemble_file(made, own)), str(bench.empir.checkpoints)
    common = ["--ensemble", file, "--data", "mnist5k"]
    recipe = ["--set", "recipe.epochs=2"]
    assert list(train) == ["empir", "train", *common, "-o", runs, "--device", "cpu", *recipe]
    expected = ["empir", verb, *common, "--checkpoints", runs, *rest, "--limit", "100", "-o", str(bench.measurements)]
    assert list(attack) == [*expected, "--device", "cpu", *recipe, "--set", "adaptive.iterations=9"]


def test_the_commands_are_empir_s(bench: Bench) -> None:
    """Its own parser takes them; nothing is run."""
    from empir.cli import main

    made = bench.entrant(FP, LOW, clean=0.9, robust=0.5).ensemble
    for accuracy in ("verify", "standard", "released"):
        defended = bench.empir.subject.model_copy(update={"defence": "distillation"})
        own = replace(bench.empir, accuracy=accuracy, subject=defended, command=("empir",))
        for _, verb, *arguments in how_to_measure(made, own, 100):
            command = main.get_command(Context(main), verb)
            assert command is not None
            command.make_context(verb, arguments)


def test_without_a_data_set_there_is_nothing_to_run(bench: Bench) -> None:
    one = bench.entrant(LOW, clean=0.9, robust=0.5)
    nowhere = replace(bench.empir, subject=bench.empir.subject.model_copy(update={"dataset": None}))
    with pytest.raises(SpecError, match="on which data set"):
        how_to_measure(one.ensemble, nowhere)


@pytest.mark.parametrize("combiner", ["average", "max_vote", "random_switch"])
def test_a_file_of_an_ensemble_says_what_it_is(tmp_path: Path, combiner: Combiner) -> None:
    network = NetworkReference.model_validate({"name": "bert_base", "sequence_length": 64})
    copies = (FP, FP, LOW, FOUR)
    made = ensemble_of(network, "except_first_and_last", combiner, 1, "auto", 32, copies)
    file = tmp_path / "ensemble.yaml"
    file.write_text(ensemble_json(made))
    read = load_ensemble(file)
    assert read.identity() == made.identity()
    assert [member.precision for member in read.expanded()] == ["w32a32", "w32a32", "w2a4", "w4a4"]


def test_released_answers_are_read_back(bench: Bench) -> None:
    own = replace(bench.empir, accuracy="released")
    assert not known_of(own).points
    lines = [*released(FP, fgsm=0.5, bim=0.2, pgd=0.3, cw=0.8), worst(FP)]
    bench.measurements.write_text("".join(one.line() + "\n" for one in lines))
    assert known_of(own).points.keys() == {((FP,), "average")}


def test_an_interruption_reaches_the_command_and_ends_the_rounds(bench: Bench) -> None:
    bench.entrant(LOW, clean=0.9, robust=0.5, hangs=60)
    code = (
        "import signal, sys; from hwsim.search.measured.evaluate import run\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a shell's background job ignores it
        "try: run(sys.argv[1:])\nexcept KeyboardInterrupt: print('interrupted')"
    )
    file = bench.empir.checkpoints / "one.yaml"
    file.parent.mkdir()
    file.write_text('{"name": "w2a4", "combiner": "average"}')
    command = (*bench.empir.command, "verify", "--ensemble", str(file))
    process = subprocess.Popen([sys.executable, "-c", code, *command], stdout=subprocess.PIPE, text=True)
    try:
        while not bench.asked:
            time.sleep(0.02)
        time.sleep(0.2)
        os.kill(process.pid, signal.SIGINT)
        said, _ = process.communicate(timeout=30)
    finally:
        process.kill()
        process.communicate()
    assert said == "interrupted\n"
    assert bench.log.with_suffix(".interrupted").exists()
    assert not bench.measurements.exists()
