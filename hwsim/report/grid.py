"""Accuracy, time and storage of M full-precision and N low-precision members, one cell for each M and N.

As figure 4 of Sen, Ravindran and Raghunathan (ICLR 2020), with costs mapped on a chip. What was not measured has no
colour and no number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hwsim.ensemble.ensemble_cost import BUDGET, TOLERANCE, map_ensemble
from hwsim.ensemble.solve import Mapper
from hwsim.errors import Infeasible
from hwsim.mapper import EFFORT, Objective, map_layer
from hwsim.search.design.ensembles import Copies, ensemble_of, members_text
from hwsim.search.measured.robustness import Robust
from hwsim.spec.ensemble import Combiner
from hwsim.spec.hardware import Hardware
from hwsim.spec.space import Subject

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from hwsim.ensemble.network_cost import Weights

#: Cells in which this much of the colour scale is passed have dark ground, for light text.
_DARK = 0.55


@dataclass(frozen=True)
class Cell:
    """M full-precision members and N low-precision ones.

    Args:
        members: in words.
        measured: how right they are; None where nobody measured it.
        time, storage: multiples of one full-precision network's; None where no mapping exists.
        why: there is none.
    """

    full: int
    low: int
    members: str
    measured: Robust | None
    time: float | None
    storage: float | None
    why: str = ""


@dataclass(frozen=True)
class MemberGrid:
    """What is drawn.

    Args:
        title: which network on which chip; attacked: what robust accuracy means here.
        budget: overhead that is allowed, and marked.
    """

    title: str
    attacked: str
    budget: float
    cells: tuple[Cell, ...]

    @property
    def missing(self) -> tuple[Cell, ...]:
        """Cells that nobody measured."""
        return tuple(cell for cell in self.cells if cell.measured is None)


@dataclass(frozen=True)
class Ways:
    """What is the same in all cells.

    Args:
        low: widths of the first low-precision member, of the second, and so on; the last for all further ones [bits].
        full: width of full precision [bits].
        weights: where weights stay between inferences.
    """

    subject: Subject
    hardware: Hardware
    low: tuple[tuple[int, int], ...]
    combiner: Combiner = "average"
    batch: int = 1
    full: int = 32
    weights: Weights = "auto"
    objective: Objective = "latency"


def member_grid(
    ways: Ways,
    full_precision: Sequence[int],
    low_precision: Sequence[int],
    measured: Callable[[Copies], Robust | None],
    attacked: str,
    *,
    budget: float = BUDGET,
    effort: float = EFFORT,
    mapper: Mapper = map_layer,
    progress: Callable[[int, int], None] | None = None,
) -> MemberGrid:
    """Map the ensemble of every cell, and look up what was measured of it.

    Args:
        measured: what is known of an ensemble; attacked: under what, in words.
        budget: overhead that is allowed.
        progress: called with the number of ensembles mapped and their total.
    """
    pairs = [(m, n) for m in sorted(set(full_precision)) for n in sorted(set(low_precision)) if m + n]
    cells = []
    for done, (m, n) in enumerate(pairs):
        if progress:
            progress(done, len(pairs))
        copies = members(ways, m, n)
        cells.append(_cell(ways, m, n, copies, measured(copies), effort, mapper))
    network, combiner = ways.subject.network.name, ways.combiner.replace("_", " ")
    narrow = ", ".join(f"w{weights}a{activations}" for weights, activations in ways.low)
    title = f"{network}, N members of {narrow}, {combiner}, batch {ways.batch}, on {ways.hardware.name}"
    return MemberGrid(title, attacked, budget, tuple(cells))


def members(ways: Ways, full: int, low: int) -> Copies:
    """Weight and activation bits of every member, full precision first."""
    narrow = [ways.low[min(i, len(ways.low) - 1)] for i in range(low)]
    return (*[(ways.full, ways.full)] * full, *sorted(narrow))


def _cell(
    ways: Ways, full: int, low: int, copies: Copies, measured: Robust | None, effort: float, mapper: Mapper
) -> Cell:
    subject = ways.subject
    ensemble = ensemble_of(
        subject.network, subject.quantize, ways.combiner, ways.batch, ways.weights, ways.full, copies
    )
    text = members_text(copies, ways.full)
    try:
        cost = map_ensemble(ensemble, ways.hardware, objective=ways.objective, effort=effort, mapper=mapper)
    except Infeasible as error:
        return Cell(full, low, text, measured, None, None, str(error))
    return Cell(full, low, text, measured, 1 + cost.overhead.time, 1 + cost.overhead.storage)


@dataclass(frozen=True)
class _Panel:
    title: str
    value: Callable[[Cell], float | None]
    text: Callable[[Cell], str]
    colours: str
    judged: bool = False


def draw_grid(figure: Figure, drawn: MemberGrid) -> tuple[Axes, ...]:
    """Draw the four panels; a frame marks what is within the budget."""
    panels = (
        _Panel("clean accuracy [%]", lambda c: c.measured.clean if c.measured else None, _percent("clean"), "cividis"),
        _Panel(
            f"accuracy under attack [%]\n{drawn.attacked}",
            lambda c: c.measured.robust if c.measured else None,
            _percent("robust"),
            "cividis",
        ),
        _Panel(
            "time, as a multiple of one\nfull-precision network's",
            lambda c: c.time,
            _multiple("time"),
            "cividis_r",
            True,
        ),
        _Panel(
            "storage, as a multiple of one\nfull-precision network's",
            lambda c: c.storage,
            _multiple("storage"),
            "cividis_r",
            True,
        ),
    )
    axes = tuple(figure.subplots(2, 2).flat)
    for own, panel in zip(axes, panels, strict=True):
        _draw(own, drawn, panel)
    figure.suptitle(drawn.title)
    figure.supxlabel(
        f"yellow is better; framed: within {100 * drawn.budget:g} % overhead; hatched: not measured, or no mapping",
        fontsize="small",
    )
    return axes


def _percent(name: str) -> Callable[[Cell], str]:
    def text(cell: Cell) -> str:
        if cell.measured is None:
            return "not\nmeasured"
        value = 100 * float(getattr(cell.measured, name))
        if name == "clean":
            return f"{value:.1f}"
        return f"{value:.1f}\n[{100 * cell.measured.low:.1f}, {100 * cell.measured.high:.1f}]"

    return text


def _multiple(name: str) -> Callable[[Cell], str]:
    def text(cell: Cell) -> str:
        value = getattr(cell, name)
        return "no\nmapping" if value is None else f"{value:.3g}×"

    return text


def _draw(axes: Axes, drawn: MemberGrid, panel: _Panel) -> None:
    from matplotlib import colormaps
    from matplotlib.colors import Normalize
    from matplotlib.patches import Rectangle

    rows = sorted({cell.full for cell in drawn.cells})
    columns = sorted({cell.low for cell in drawn.cells})
    known = [value for value in map(panel.value, drawn.cells) if value is not None]
    scale = Normalize(
        min(known, default=0.0), max(known, default=1.0) if len(set(known)) > 1 else min(known, default=0) + 1
    )
    colours = colormaps[panel.colours]
    for cell in drawn.cells:
        x, y = columns.index(cell.low), rows.index(cell.full)
        value = panel.value(cell)
        corner = (x - 0.5, y - 0.5)
        if value is None:
            axes.add_patch(Rectangle(corner, 1, 1, facecolor="none", edgecolor="#c4cad0", hatch="//", linewidth=0))
        else:
            axes.add_patch(Rectangle(corner, 1, 1, facecolor=colours(scale(value)), edgecolor="white", linewidth=1))
        red, green, blue = (1, 1, 1) if value is None else colours(scale(value))[:3]
        light = 0.299 * red + 0.587 * green + 0.114 * blue < _DARK
        axes.text(
            x, y, panel.text(cell), ha="center", va="center", fontsize="small", color="white" if light else "black",
            bbox=None if value is not None else {"facecolor": "white", "edgecolor": "none", "pad": 1, "alpha": 0.8},
        )  # fmt: skip
        if panel.judged and value is not None and value - 1 <= drawn.budget + TOLERANCE * (1 + drawn.budget):
            inner = Rectangle(
                (x - 0.46, y - 0.46), 0.92, 0.92, fill=False, edgecolor="#d55e00", linewidth=2.5, zorder=3
            )
            axes.add_patch(inner)
    axes.set(xlim=(-0.5, len(columns) - 0.5), ylim=(-0.5, len(rows) - 0.5), aspect="auto")
    axes.set_xticks(range(len(columns)), [str(n) for n in columns])
    axes.set_yticks(range(len(rows)), [str(m) for m in rows])
    axes.set(xlabel="N, low-precision members", ylabel="M, full-precision members")
    axes.set_title(panel.title, fontsize="medium")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def grid_rows(drawn: MemberGrid) -> Iterator[dict[str, Any]]:
    """One row a cell."""
    for cell in drawn.cells:
        known = cell.measured
        yield {
            "M": cell.full,
            "N": cell.low,
            "members": cell.members,
            "clean_accuracy": known.clean if known else None,
            "robust_accuracy": known.robust if known else None,
            "robust_low": known.low if known else None,
            "robust_high": known.high if known else None,
            "samples": known.samples if known else None,
            "time": cell.time,
            "storage": cell.storage,
            "why": cell.why,
        }
