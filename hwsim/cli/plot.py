"""`hwsim plot`: an ensemble on a chip, as pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from hwsim.cli.options import ensemble_options, picture_option, search_options
from hwsim.cli.plot_grid import grid_command
from hwsim.errors import SpecError

if TYPE_CHECKING:
    from hwsim.ensemble.ensemble_cost import EnsembleCost


@click.group("plot")
def plot() -> None:
    """Draw an ensemble on a chip.

    `hwsim pareto --png` draws the front of a sweep.
    """


plot.add_command(grid_command)


@plot.command("roofline")
@ensemble_options
@search_options
@picture_option
def roofline_command(output: Path, **asked: Any) -> None:
    """Draw the layers of every member below the roofs of the chip.

    What a layer attains (MAC/s) over its MACs for each byte to and from the outermost memory. The roofs are that
    memory's bandwidth, and the peak of each mode that a layer runs in.
    """
    from hwsim.report.figure import PICTURES, empty_figure, write_figure
    from hwsim.report.files import check_target
    from hwsim.report.roofline import draw_roofline, roofline

    check_target(output, PICTURES)
    drawn = roofline(_mapped(**asked))
    figure = empty_figure(9, 6)
    draw_roofline(figure, drawn)
    write_figure(output, figure)


@plot.command("layers")
@ensemble_options
@search_options
@picture_option
def layers_command(output: Path, **asked: Any) -> None:
    """Draw where time and energy go.

    A bar for each layer of each member. A bar of time is what binds the layer, and what overlaps with nothing; a mark
    shows what the datapath alone would take. Members that cost the same are drawn once.
    """
    from hwsim.report.breakdown import breakdown, draw_breakdown, height
    from hwsim.report.figure import PICTURES, empty_figure, write_figure
    from hwsim.report.files import check_target

    check_target(output, PICTURES)
    drawn = breakdown(_mapped(**asked))
    figure = empty_figure(11, height(drawn))
    draw_breakdown(figure, drawn)
    write_figure(output, figure)


def _mapped(
    *,
    file: str,
    chip: str,
    overrides: tuple[str, ...],
    source: str | None,
    parameters: tuple[tuple[str, Any], ...],
    input_shape: tuple[int, ...] | None,
    batch: int | None,
    weights: str | None,
    objective: Literal["latency", "energy", "edp"],
    effort: float | None,
    no_cache: bool,
) -> EnsembleCost:
    """The ensemble of the options, mapped on their chip."""
    from hwsim.cli.map import changed_ensemble, load_chip, mapper
    from hwsim.cli.progress import LayerProgress
    from hwsim.ensemble.ensemble_cost import map_ensemble
    from hwsim.mapper import EFFORT
    from hwsim.spec.load import placed

    ensemble = changed_ensemble(file, source, dict(parameters), input_shape, batch, weights)
    hardware = load_chip(chip, overrides)
    try:
        with LayerProgress() as progress:
            return map_ensemble(
                ensemble,
                hardware,
                objective=objective,
                effort=EFFORT if effort is None else effort,
                mapper=mapper(no_cache),
                progress=progress,
            )
    except SpecError as error:
        raise placed(error, file, None if source else ("network",)) from None
