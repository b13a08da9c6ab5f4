"""What is drawn where."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from empir.report.confusion import caption, draw_matrix, write_confusions
from empir.report.plot import draw_points, write_tradeoff
from empir.report.table import Cell, tables
from tests.unit.empir.report.made import FP, W2A4, confused, measured

EMPIR = (FP, W2A4, W2A4)


def test_a_matrix_shows_shares_of_the_true_class() -> None:
    axes = Figure().subplots()
    image = draw_matrix(axes, measured((FP,), "pgd", 3, samples=8, clean=8, confusion=((2, 2), (3, 1))), 8)
    assert np.array_equal(image.get_array(), [[50, 50], [75, 25]])
    assert {text.get_position(): text.get_text() for text in axes.texts} == {
        (0, 0): "50", (1, 0): "50", (0, 1): "75", (1, 1): "25",
    }  # fmt: skip
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("decided class", "true class")


def test_a_class_without_samples_is_left_white() -> None:
    image = draw_matrix(
        Figure().subplots(), measured((FP,), "pgd", 2, samples=2, clean=2, confusion=((2, 0), (0, 0))), 2
    )
    assert np.array_equal(image.get_array(), [[100, 0], [0, 0]])


def test_many_classes_are_drawn_without_figures() -> None:
    axes = Figure().subplots()
    draw_matrix(axes, measured((FP,), "pgd", 100, confusion=confused(100, classes=100)), 1000)
    assert not axes.texts


@pytest.mark.parametrize(
    ("attack", "more", "said"),
    [
        ("none", {"clean": 300}, "clean: 30.0% right"),
        ("pgd", {}, "PGD, epsilon 0.3: 30.0% right\non paper"),
        ("cw", {"accounting": "released"}, "CW: 30.0% right\non full_precision"),
        ("worst_case", {"over": ("bim", "pgd")}, "worst case, epsilon 0.3: 30.0% right\nof bim, pgd"),
        ("adaptive", {}, "adaptive, epsilon 0.3: 30.0% right"),
    ],
)
def test_captions(attack, more, said) -> None:
    assert caption(measured((FP,), attack, 300, **more), 1000) == said


def test_a_caption_tells_of_fewer_samples() -> None:
    assert caption(measured((FP,), "adaptive", 3, samples=200, clean=190), 1000).endswith("1.5% right, 200 samples")


def test_there_is_a_figure_of_each_ensemble_and_accounting(tmp_path: Path) -> None:
    lines = [
        measured((FP,), "none", 980, confusion=confused(980)),
        measured((FP,), "pgd", 10, confusion=confused(10)),
        measured((FP,), "pgd", 10, accounting="released", confusion=confused(10)),
        measured(EMPIR, "pgd", 200, accounting="released", confusion=confused(200)),
        measured((W2A4,), "pgd", 200, accounting="released"),
    ]
    (table,) = tables(lines)
    paths = list(write_confusions(table, tmp_path))
    stem = "confusion-mnistconv-mnist5k-test"
    assert [path.name for path in paths] == [
        f"{stem}-baseline-fp-released.png",
        f"{stem}-baseline-fp-standard.png",
        f"{stem}-empir-fp-2-w2a4-max-vote-released.png",
    ]
    for path in paths:
        with Image.open(path) as image:
            assert np.asarray(image.convert("L")).std() > 5  # not blank


def test_points_stand_at_their_accuracies_with_their_intervals() -> None:
    axes = Figure().subplots()
    own = {
        "clean": Cell(0.97, (0.95, 0.98), 1000),
        "standard": Cell(0.2, (0.18, 0.23), 1000),
        "adaptive": Cell(0, (0, 0.01), 1000),
    }
    draw_points(axes, own, "red")
    drawn = {(line.get_marker(), *line.get_xydata()[0]) for line in axes.lines if line.get_marker() in ("s", "D")}
    assert drawn == {("s", 97.0, 20.0), ("D", 97.0, 0.0)}
    bars = [segment for bar in axes.collections for segment in bar.get_segments()]
    expected = [[(95, 20), (98, 20)], [(97, 18), (97, 23)], [(97, 0), (97, 1)]]
    assert sorted(np.round(bar, 9).tolist() for bar in bars) == sorted(list(map(list, bar)) for bar in expected)


def test_the_tradeoff_is_written(tmp_path: Path) -> None:
    (table,) = tables([measured((FP,), "adaptive", 3), measured(EMPIR, "worst_case", 100, over=("pgd",))])
    path = write_tradeoff(table, tmp_path)
    assert path == tmp_path / "tradeoff-mnistconv-mnist5k-test.png"
    with Image.open(path) as image:
        assert image.width > 800


def test_nothing_to_trade_is_not_drawn(tmp_path: Path) -> None:
    (table,) = tables([measured((FP,), "none", 980)])
    assert write_tradeoff(table, tmp_path) is None
    assert not list(tmp_path.iterdir())
