"""Trials of designs that are points of a square: each once, whoever takes part and whoever is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Set
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import pytest

from hwsim.search.sampled.storage import open_storage
from hwsim.search.sampled.trials import ATTEMPTS, Suggestion, Trials
from hwsim.search.sampled.variables import Variable
from hwsim.spec.space import Sampled

Kind = Literal["nsga2", "tpe"]


def key(values: Mapping[str, Any]) -> str:
    return f"{values['x']},{values['y']}"


def fresh(side: int) -> Callable[[Mapping[str, Any], tuple[int, int], Set[str]], dict[str, Any] | None]:
    """The nearest that was not seen."""

    def nearest(near: Mapping[str, Any], seed: tuple[int, int], seen: Set[str]) -> dict[str, Any] | None:
        left = [{"x": x, "y": y} for x in range(side) for y in range(side) if f"{x},{y}" not in seen]
        return min(left, key=lambda own: sum(abs(own[name] - near[name]) for name in own), default=None)

    return nearest


def square(where: str | Path | None, side: int = 5, kind: Kind = "nsga2", trials: int = 40, seed: int = 0) -> Trials:
    """Minimise x, maximise y."""
    sides = (Variable("x", side), Variable("y", side))
    engine = Sampled(kind=kind, trials=trials, seed=seed)
    return Trials(open_storage(where), "square", ("minimise", "maximise"), engine, sides, key, fresh(side))


def point(suggestion: Suggestion) -> tuple[int, int]:
    x, y = map(int, suggestion.design.split(","))
    assert suggestion.parameters == {"x": x, "y": y}
    return x, y


def look(trials: Trials, designs: int, most: float = float("inf")) -> list[str]:
    """Evaluate until enough are known; x beyond `most` is not allowed. Returns what was evaluated, in order."""
    done = []
    while suggestion := trials.ask(designs):
        x, y = point(suggestion)
        trials.tell(suggestion.trial, (x, y), {"x": max(0.0, x - most)}, {"sum": x + y})
        done.append(suggestion.design)
    return done


ALL = {f"{x},{y}" for x in range(5) for y in range(5)}


@pytest.fixture(params=["memory", "trials.db", "trials.log"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path | None:
    return None if request.param == "memory" else tmp_path / str(request.param)


@pytest.mark.parametrize("kind", ["nsga2", "tpe"])
def test_each_design_is_evaluated_once_until_none_is_left(place: Path | None, kind: Kind) -> None:
    trials = square(place, 4, kind)
    done = look(trials, designs=1000)
    assert sorted(done) == sorted(f"{x},{y}" for x in range(4) for y in range(4))
    assert trials.results() == {design: {"sum": sum(map(int, design.split(",")))} for design in done}
    assert trials.ask(1000) is None


def test_no_more_designs_than_wanted_and_those_of_before_count(tmp_path: Path) -> None:
    first = look(square(tmp_path / "trials.db"), 7)
    assert len(first) == 7
    again = square(tmp_path / "trials.db")
    assert list(again.results()) == first
    assert look(again, 7) == []
    rest = look(again, 12)
    assert len(rest) == 5
    assert not set(first) & set(rest)


@pytest.mark.parametrize("kind", ["nsga2", "tpe"])
def test_a_search_that_was_left_goes_on_as_if_it_had_not_been(tmp_path: Path, kind: Kind) -> None:
    undisturbed = look(square(None, 20, kind), 60)
    left = [design for stop in (1, 13, 40, 60) for design in look(square(tmp_path / "trials.log", 20, kind), stop)]
    assert left == undisturbed
    assert look(square(None, 20, kind, seed=1), 60) != undisturbed


def test_what_is_in_hand_is_not_given_out_again_and_counts(place: Path | None) -> None:
    trials = square(place, 3)
    held = [trials.ask(9) for _ in range(9)]
    assert {one.design for one in held if one} == {f"{x},{y}" for x in range(3) for y in range(3)}
    assert trials.ask(9) is trials.ask(1000) is None


def test_two_that_share_a_storage_share_the_designs(tmp_path: Path) -> None:
    both = [square(tmp_path / "trials.log") for _ in range(2)]
    done: list[str] = []
    waiting: list[tuple[Trials, Suggestion]] = []
    for turn in range(60):
        trials = both[turn % 2]
        if suggestion := trials.ask(25):
            waiting.append((trials, suggestion))
        if turn % 3 == 2 and waiting:
            owner, own = waiting.pop(0)
            owner.tell(own.trial, point(own), {}, {})
            done.append(own.design)
    for owner, own in waiting:
        owner.tell(own.trial, point(own), {}, {})
        done.append(own.design)
    assert sorted(done) == sorted(ALL)
    assert both[0].results().keys() == both[1].results().keys() == ALL


def test_what_is_withdrawn_comes_first(tmp_path: Path) -> None:
    trials = square(tmp_path / "trials.db")
    look(trials, 3)
    held = [trials.ask(10) for _ in range(3)]
    trials.withdraw()
    assert {one.design for one in held if one} == set(look(square(tmp_path / "trials.db"), 6))


KILLED = """
import os, signal, sys
sys.path.insert(0, sys.argv[2])
from tests.unit.search.sampled.test_trials import square
trials = square(sys.argv[1])
trials.reap()
print(trials.ask(25).design, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def killed(where: Path, repository: Path) -> str:
    """A process that takes a design and is killed; the design."""
    call = [sys.executable, "-c", KILLED, str(where), str(repository)]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("name", ["trials.db", "trials.log"])
def test_what_a_killed_process_had_in_hand_is_tried_again(tmp_path: Path, repository: Path, name: str) -> None:
    lost = killed(tmp_path / name, repository)
    trials = square(tmp_path / name)
    assert trials.ask(1) is None  # it might come yet
    assert trials.reap() == 1
    assert look(trials, 1) == [lost]
    assert trials.reap() == 0


def test_a_design_that_kills_every_time_is_given_up(tmp_path: Path, repository: Path) -> None:
    where = tmp_path / "trials.log"
    lost = {killed(where, repository) for _ in range(ATTEMPTS)}
    assert len(lost) == 1
    trials = square(where)
    trials.reap()
    assert trials.given_up() == lost
    assert set(look(trials, 1000)) == ALL - lost


def test_what_this_process_has_in_hand_is_not_left_behind(tmp_path: Path) -> None:
    trials = square(tmp_path / "trials.db")
    held = trials.ask(25)
    assert square(tmp_path / "trials.db").reap() == 0
    assert held
    trials.tell(held.trial, point(held), {}, {})
    assert set(trials.results()) == {held.design}


def test_a_process_of_another_time_with_the_number_of_this_one_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("hwsim.search.sampled.trials._PROCESS", "of another time")
        square(tmp_path / "trials.db").ask(25)
    assert square(tmp_path / "trials.db").reap() == 1


def test_another_machine_is_believed_for_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("socket.gethostname", lambda: "elsewhere")
        patch.setattr(os, "getpid", lambda: 2**22 + 1)  # no process here has such a number
        square(tmp_path / "trials.db").ask(25)
    trials = square(tmp_path / "trials.db")
    assert trials.reap() == 0
    monkeypatch.setattr("hwsim.search.sampled.trials.BELIEVED", timedelta())
    assert trials.reap() == 1


def test_giving_up_is_kept(tmp_path: Path) -> None:
    trials = square(tmp_path / "trials.log")
    held = trials.ask(25)
    assert held
    trials.give_up(held.trial)
    again = square(tmp_path / "trials.log")
    assert again.given_up() == {held.design}
    assert set(look(again, 1000)) == ALL - {held.design}


@pytest.mark.parametrize("kind", ["nsga2", "tpe"])
def test_a_search_looks_where_designs_are_good_and_allowed(kind: Kind) -> None:
    """Of 900 designs 330 are allowed, and only (0, 29) is beaten by none. Of the last 75 of 150 random designs some 28
    are allowed, and their x and y have a mean of 14.5, give or take 1."""
    done = [tuple(map(int, design.split(","))) for design in look(square(None, 30, kind, trials=150), 150, most=10)]
    assert min(x + 29 - y for x, y in done if x <= 10) <= 1
    late = done[75:]
    assert sum(x <= 10 for x, _ in late) > 36
    assert sum(x for x, _ in late) / len(late) < 12
    assert sum(y for _, y in late) / len(late) > 17


def test_infinite_values_are_values() -> None:
    for kind in ("nsga2", "tpe"):
        trials = square(None, kind=kind)
        while suggestion := trials.ask(25):
            x, y = point(suggestion)
            runs = (x + y) % 3
            values = (x, y) if runs else (float("inf"), -float("inf"))
            trials.tell(suggestion.trial, values, {"runs": 0.0 if runs else 1e9}, {})
        assert len(trials.results()) == 25
