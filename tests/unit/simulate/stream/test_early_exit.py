"""Votes that end early: never before they are decided, as often as agreement says, and for what the stages cost."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import product

import numpy as np
import pytest

from hwsim.errors import Infeasible, SpecError
from hwsim.simulate.members.schedule import Round, Stage, switched
from hwsim.simulate.stream.early_exit import common_answer, decided, decided_after, earliest
from hwsim.simulate.stream.requests import Constant
from hwsim.simulate.stream.service import exiting
from hwsim.simulate.stream.stream import play_stream


def winners(votes: tuple[int, ...]) -> frozenset[int]:
    counts = Counter(votes)
    return frozenset(choice for choice, count in counts.items() if count == max(counts.values()))


def decided_by_trying(votes: tuple[int, ...], classes: int) -> int:
    """After how many members every way to go on elects the same class, and no other as well."""
    for count in range(1, len(votes) + 1):
        rest = product(range(classes), repeat=len(votes) - count)
        outcomes = {winners(votes[:count] + others) for others in rest}
        if len(outcomes) == 1 and len(next(iter(outcomes))) == 1:
            return count
    return len(votes)


@pytest.mark.parametrize(("members", "classes"), [(1, 3), (2, 3), (3, 2), (3, 4), (4, 3), (5, 3), (6, 2), (7, 2)])
def test_a_vote_ends_as_soon_as_nothing_can_change_it(members: int, classes: int) -> None:
    votes = list(product(range(classes), repeat=members))
    after = decided(np.array(votes))
    assert list(after) == [decided_by_trying(vote, classes) for vote in votes]
    assert min(after) == min(members, earliest(members))


@pytest.mark.parametrize(("agreement", "classes"), [(0.9, 10), (0.5, 2), (1.0, 10), (0.1, 10), (0.62, 3)])
def test_two_members_agree_as_often_as_asked(agreement: float, classes: int) -> None:
    common = common_answer(agreement, classes)
    assert 1 / classes - 1e-9 <= common <= 1
    others = [(1 - common) / (classes - 1)] * (classes - 1)
    assert sum(share**2 for share in (common, *others)) == pytest.approx(agreement)


@pytest.mark.parametrize(("agreement", "classes"), [(0.09, 10), (1.01, 10), (0.5, 1)])
def test_agreement_is_not_below_chance(agreement: float, classes: int) -> None:
    with pytest.raises(SpecError, match="no agreement of two members"):
        common_answer(agreement, classes)


@pytest.mark.parametrize(("members", "agreement", "classes"), [(3, 0.8, 10), (5, 0.6, 3), (4, 0.9, 4)])
def test_draws_follow_the_stated_model(members: int, agreement: float, classes: int) -> None:
    common = common_answer(agreement, classes)
    expected: defaultdict[int, float] = defaultdict(float)
    for votes in product(range(classes), repeat=members):
        probability = np.prod([common if vote == 0 else (1 - common) / (classes - 1) for vote in votes])
        expected[decided_by_trying(votes, classes)] += float(probability)
    inputs = 200_000
    after = decided_after(inputs, members, agreement, classes, np.random.default_rng(5))
    for count in range(1, members + 1):
        share = expected[count]
        assert (after == count).mean() == pytest.approx(share, abs=4 * (share * (1 - share) / inputs) ** 0.5)
    if members == 3:
        assert expected[2] == pytest.approx(agreement)  # the model does not matter to a vote of three


def three(inputs: int = 1, tail: float = 1.0) -> Round:
    """Full precision for 20 cycles, then two of low precision for 3 and 5; every switch takes 7."""
    stages = (Stage("fp", "a", "wide", 12.0), Stage("fp", "b", "wide", 8.0), Stage("q1", "a", "narrow", 3.0),
              Stage("q2", "a", "narrow", 4.0), Stage("q2", "v", "", 1.0))  # fmt: skip
    return Round("serial", (switched(stages, 7.0),), (Stage("ensemble", "combiner", "", tail),), inputs, 7.0)


def test_an_exit_leaves_out_members_and_pays_for_every_count() -> None:
    service = exiting([three()], 1.0, np.array([2, 3, 2], np.int16))
    start = service.choose(0, 1, None)
    assert service.seconds(start) == 7 + 20 + 7 + 3 + 1
    undecided = service.choose(1, 1, service.ends_in(start))
    assert service.seconds(undecided) == 7 + 20 + 7 + 3 + 1 + 5 + 1
    assert service.seconds(service.choose(2, 1, "wide")) == 20 + 7 + 3 + 1
    assert [stage.layer for stage in service.round(undecided).lanes[0]] == ["a", "b", "a", "combiner", "a", "v"]


def test_a_batch_runs_until_its_last_vote_is_decided() -> None:
    service = exiting([three(4)], 1.0, np.array([2, 2, 3, 2, 2, 2], np.int16))
    assert service.choose(0, 4, None).outcome == 3
    assert service.choose(3, 3, None).outcome == 2


def test_interleaved_members_have_begun_when_the_first_end() -> None:
    stages = (Stage("p", "1", "m", 10.0), Stage("q", "1", "m", 20.0), Stage("r", "1", "m", 40.0),
              Stage("p", "2", "m", 1.0), Stage("q", "2", "m", 2.0), Stage("r", "2", "m", 4.0))  # fmt: skip
    round = Round("interleaved", (stages,), (), 1, 0.0)
    service = exiting([round], 1.0, np.array([2, 3], np.int16))
    assert service.seconds(service.choose(0, 1, None)) == 73
    assert service.seconds(service.choose(1, 1, None)) == 77


def test_members_side_by_side_do_not_wait_for_a_vote() -> None:
    lanes = ((Stage("p", "1", "m", 1.0),), (Stage("q", "1", "m", 1.0),))
    with pytest.raises(Infeasible, match="side by side"):
        exiting([Round("partitioned", lanes, (), 1)], 1.0, np.zeros(0, np.int16))


def test_the_time_of_early_exits_is_that_of_the_closed_form() -> None:
    agreement, both, all_three = 0.7, 7 + 20 + 7 + 3 + 1, 7 + 20 + 7 + 3 + 1 + 5 + 1
    expected = agreement * both + (1 - agreement) * all_three
    played = play_stream(Constant(0.01), [three()], 1.0, duration=4e6, seed=2, agreement=agreement, classes=10)
    spread = (all_three - both) * (agreement * (1 - agreement) / 40_000) ** 0.5
    assert played.latency["mean"].value == pytest.approx(expected, abs=4 * spread)
    assert played.members == pytest.approx(2 * agreement + 3 * (1 - agreement), abs=4 * spread / 6)
    assert played.capacity == pytest.approx(1 / expected, rel=4 * spread / expected)


def test_overloaded_the_chip_reaches_the_capacity_of_its_exits() -> None:
    played = play_stream(Constant(1.0), [three(), three(4)], 1.0, duration=40_000, seed=3, agreement=0.7, classes=10)
    assert played.load > 1
    assert played.utilization == pytest.approx(1.0)
    assert played.throughput == pytest.approx(played.capacity, rel=0.01)
