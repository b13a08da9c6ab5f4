"""Operations of the combiner, counted one by one."""

from __future__ import annotations

from hwsim.ensemble.combiner import combine, operations
from hwsim.networks import network
from tests.unit.ensemble.examples import FULL, small_chip, small_network


def test_votes_are_counted() -> None:
    """Three members, ten classes: 9 comparisons and a vote each, 9 comparisons of the counts."""
    assert operations("max_vote", 3, 10, ends_with_softmax=False) == 3 * 9 + 3 + 9
    assert operations("max_vote", 3, 10, ends_with_softmax=True) == 3 * 9 + 3 + 9


def test_means_need_probabilities() -> None:
    """Three members, ten classes: a softmax each (9 + 10 + 10 + 9 + 10), 20 additions and 10 multiplications."""
    assert operations("average", 3, 10, ends_with_softmax=True) == 20 + 10
    assert operations("average", 3, 10, ends_with_softmax=False) == 3 * 48 + 30


def test_results_are_read_and_the_answer_is_written() -> None:
    net = small_network().with_batch(4)
    cost = combine("average", 2, net, small_chip(operations_per_cycle=2.0), FULL)
    assert cost is not None
    assert cost.energy["vector"] == 3.0 * 4 * 2 * 5
    assert cost.cycles == 4 * 2 * 5 / 2
    assert cost.dram_bytes == 4 * (2 * 5 + 5)
    voted = combine("max_vote", 2, net, small_chip(), FULL)
    assert voted is not None
    assert voted.dram_bytes == 4 * (2 * 5 + 1)


def test_a_network_without_softmax_gets_one() -> None:
    cost = combine("average", 2, network("lenet5"), small_chip(), 32)
    bare = combine("average", 2, network("vgg16"), small_chip(), 32)
    assert cost is not None
    assert bare is not None
    assert cost.energy["vector"] == 3.0 * 2 * 10
    assert bare.energy["vector"] == 3.0 * 2 * (1000 + 5 * 1000 - 2)


def test_one_that_is_drawn_answers_alone() -> None:
    assert operations("random_switch", 3, 10, ends_with_softmax=False) == 0
    assert combine("random_switch", 3, small_network(), small_chip(), FULL) is None


def test_a_single_member_has_nothing_to_combine() -> None:
    assert combine("average", 1, small_network(), small_chip(), FULL) is None
