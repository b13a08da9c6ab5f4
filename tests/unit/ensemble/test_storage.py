"""Storage and working sets, counted by hand."""

from __future__ import annotations

import pytest

from hwsim.ensemble.precision import precisions
from hwsim.ensemble.storage import Storage, storage, working_set
from hwsim.networks import network
from tests.unit.ensemble.examples import small_network

CONVS, FC = 64 * 1 * 8 * 8 + 128 * 64 * 6 * 6 + 128 * 128 * 5 * 5, 128 * 10


def test_mnistconv_as_released() -> None:
    """Table 3 of the paper: three convolutions without biases and a fully connected layer that stays in 32 bits."""
    kept = storage(network("mnistconv"), precisions(network("mnistconv"), 2, 4, "convs", 32))
    assert kept == Storage(weights=2 * CONVS, unquantized=32 * FC, tables=0, vectors=0)
    alone = storage(network("mnistconv"), precisions(network("mnistconv"), 32, 32, "convs", 32))
    assert alone.total == 32 * (CONVS + FC)


def test_biases_stay_in_full_precision() -> None:
    kept = storage(small_network(), precisions(small_network(), 2, 4, "all", 8))
    assert kept == Storage(weights=2 * (72 + 80), unquantized=0, tables=0, vectors=8 * 5)


def test_products_of_activations_store_nothing() -> None:
    """bert_base, per encoder layer: 4 projections of 768 x 768 and two of 768 x 3072; the pooler; three tables."""
    bert = network("bert_base")
    kept = storage(bert, precisions(bert, 4, 4, "all", 32))
    assert kept.weights == 4 * (12 * (4 * 768**2 + 2 * 768 * 3072) + 768**2)
    assert kept.tables == 32 * 768 * (30522 + 512 + 2)


@pytest.mark.parametrize(("batch", "factor"), [(1, 1), (3, 3)])
def test_the_working_set_peaks_where_the_convolution_runs(batch: int, factor: int) -> None:
    """32 inputs and 64 outputs of 4 bits are live together; later 64 and 16, then 16 and 5."""
    net = small_network().with_batch(batch)
    bits = precisions(net, 2, 4, "all", 8)
    assert working_set(net, bits) == factor * (32 + 64) * 4


def test_an_input_that_another_member_reads_stays() -> None:
    """At its widest: 32 of 8 bits beside 64 and then 16 of 4."""
    net = small_network()
    bits = precisions(net, 2, 4, "all", 8)
    assert working_set(net, bits, {"image": 8}) == 32 * 8 + (64 + 16) * 4
