"""Eyeriss' measured AlexNet layers (Chen et al., JSSC 2017) beside the chip as hw_configs/eyeriss_v1.yaml has it."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, prod

from hwsim.cost.layer import LayerCost, price
from hwsim.mapper import map_layer
from hwsim.mapping.mapping import LevelMapping, Loop, Mapping, SpatialLoop
from hwsim.operators.nest import DIMENSIONS, LoopNest, Operand
from hwsim.spec.hardware import Hardware
from hwsim.spec.load import load_hardware
from hwsim.validate._report import Cell, Report, Table, percent, published

Row = dict[str, str]

CHIP = "eyeriss_v1"

#: Words of the chip [bits].
BITS = 16

#: Run-length coding packs three values, each with the run of up to 31 zeros before it, into 64 bits.
RUN_BITS = 64 / 3


@dataclass(frozen=True)
class Layer:
    """One line of the published table, and its cost under a row-stationary mapping."""

    name: str
    row: Row
    nest: LoopNest
    mapping: Mapping
    cost: LayerCost

    @property
    def milliseconds(self) -> float:
        """Measured processing latency [ms]."""
        return float(self.row["processing_ms"])

    @property
    def passes(self) -> int:
        """Times that the array starts anew."""
        return prod(loop.bound for level in self.mapping.levels[:2] for loop in level.temporal)

    @property
    def rows(self) -> int:
        """Input rows of one strip of e output rows."""
        return (int(self.row["e"]) - 1) * self.nest.stride[0] + self.nest.R


def run() -> Report:
    """Compare active elements, processing latency and traffic, layer by layer."""
    layers = [layer(row) for row in published("eyeriss", "alexnet.csv")]
    tables = (_latency(layers), _parts(layers), _buffer(layers), _dram(layers), _mapped(layers))
    source = "Chen, Krishna, Emer and Sze, JSSC 52(1), 2017, Tables III and V"
    return Report("eyeriss", source, tables, FINDINGS)


def layer(row: Row, mapped_as: Row | None = None) -> Layer:
    """Price a line of the table under its own mapping, or under another line's."""
    hardware = load_hardware(CHIP)
    name = row["layer"]
    if mapped_as is not None:
        name = f"{name} as {mapped_as['layer']}"
        row = {**row, **{parameter: mapped_as[parameter] for parameter in "mnepqrt"}}
    mapping = row_stationary(row, hardware)
    return Layer(name, row, nest(row), mapping, price(nest(row), hardware, mapping, BITS, BITS))


def nest(row: Row) -> LoopNest:
    """The layer of a line; its C is per group, its K of all groups."""
    groups, out, taps, stride = (int(row[name]) for name in ("G", "P", "R", "stride"))
    return LoopNest(
        N=int(row["N"]), G=groups, K=int(row["K"]) // groups, C=int(row["C"]), P=out, Q=out, R=taps, S=taps,
        stride=(stride, stride),
    )  # fmt: skip


def row_stationary(row: Row, hardware: Hardware) -> Mapping:
    """The published mapping as a loop nest.

    An element slides a filter row over an input row for p filters and q channels. A set of R x e elements makes e
    output rows; r sets add up their channels, t sets have filters of their own. The buffer holds the partial sums of m
    filters and n images over e rows. What is wider than the array's columns continues on further rows of it.
    """
    shape = nest(row)
    m, n, e, p, q, r, t = (int(row[name]) for name in "mnepqrt")
    array = {axis.name: axis.size for level in hardware.levels for axis in level.fanout}
    beside = min(e, array["columns"])
    unrolled = [SpatialLoop("R", shape.R, "rows"), SpatialLoop("P", ceil(e / beside), "rows")]
    room = array["rows"] // (shape.R * ceil(e / beside))
    unrolled += [SpatialLoop(dim, sets, "rows" if r * t <= room else "columns") for dim, sets in (("C", r), ("K", t))]
    unrolled.append(SpatialLoop("P", beside, "columns"))
    blocks = {"N": shape.N / n, "G": shape.G, "K": shape.K / m, "P": shape.P / e, "C": shape.C / (q * r)}
    return Mapping((
        LevelMapping("DRAM", tuple(Loop(dim, ceil(count)) for dim, count in blocks.items())),
        LevelMapping("GLB", (Loop("K", ceil(m / (p * t))), Loop("N", n))),
        LevelMapping("pass", (), tuple(unrolled)),
        LevelMapping("slide", (Loop("Q", shape.Q),)),
        LevelMapping("PE", (Loop("C", q), Loop("S", shape.S), Loop("K", p))),
    ))  # fmt: skip


def active(shape: LoopNest, mapping: Mapping) -> int:
    """Elements with work in a full wave of the array."""
    unrolled = {
        dim: prod(loop.bound for level in mapping.levels for loop in level.spatial if loop.dim == dim)
        for dim in DIMENSIONS
    }
    return prod(min(bound, int(getattr(shape, dim))) for dim, bound in unrolled.items())


def streamed(layer: Layer) -> float:
    """Inputs that the array takes in when every pass streams its rows anew [B]."""
    row, shape = layer.row, layer.nest
    strips = ceil(shape.P / int(row["e"]))
    rows = (shape.P - strips) * shape.stride[0] + strips * shape.R
    filters = ceil(shape.K / (int(row["p"]) * int(row["t"])))
    return shape.N * shape.G * filters * shape.C * rows * int(row["hw"]) * BITS / 8


def _with_third_as_fourth(layers: list[Layer]) -> list[Layer]:
    """CONV3 a second time, mapped as CONV4 is: see the findings."""
    return [*layers[:3], layer(layers[2].row, layers[3].row), *layers[3:]]


def _latency(layers: list[Layer]) -> Table:
    lines: list[tuple[Cell, ...]] = []
    for each in _with_third_as_fourth(layers):
        ours = each.cost.seconds * 1e3
        lines.append((
            each.name, active(each.nest, each.mapping), int(each.row["active_pes"]), ours, each.milliseconds,
            percent(ours, each.milliseconds),
        ))  # fmt: skip
    ours, theirs = sum(each.cost.seconds * 1e3 for each in layers), sum(each.milliseconds for each in layers)
    lines.append(("all five", "", "", ours, theirs, percent(ours, theirs)))
    columns = ("layer", "active PEs", "theirs", "processing [ms]", "theirs [ms]", "error")
    return Table("The published mapping: active elements and processing latency, batch of 4.", columns, tuple(lines))


def _parts(layers: list[Layer]) -> Table:
    lines: list[tuple[Cell, ...]] = []
    for each in _with_third_as_fourth(layers):
        row, busy, count = each.row, each.cost.busy, each.passes
        measured = each.milliseconds * 1e-3 * load_hardware(CHIP).clock / count
        # One word a cycle comes over the inputs' bus, and no element starts before it has a window.
        window = each.rows * each.nest.S * int(row["q"]) * int(row["r"])
        overlapped = max(busy["compute"], busy["GLB bandwidth"])
        ours = each.cost.cycles / count
        lines.append((
            each.name, count, busy["compute"] / count, (overlapped - busy["compute"]) / count,
            busy["fill and drain"] / count, ours, measured, percent(ours, measured), window,
            percent(ours + window, measured),
        ))  # fmt: skip
    columns = (
        "layer", "passes", "compute", "+ buffer's ports", "+ filters", "= ours", "theirs", "error", "first windows",
        "error with them",
    )  # fmt: skip
    return Table("Cycles of one pass of the array.", columns, tuple(lines))


def _buffer(layers: list[Layer]) -> Table:
    lines: list[tuple[Cell, ...]] = []
    for each in _with_third_as_fourth(layers):
        inputs = _bytes(each.cost, "GLB", Operand.INPUTS, writes=False) / 1e6
        anew, sums = streamed(each) / 1e6, _bytes(each.cost, "GLB", Operand.OUTPUTS) / 1e6
        theirs = float(each.row["glb_mb"])
        lines.append((each.name, sums, inputs, anew, sums + anew, theirs, percent(sums + anew, theirs),
                      percent(sums + inputs, theirs)))  # fmt: skip
    columns = (
        "layer", "partial sums [MB]", "inputs [MB]", "inputs anew [MB]", "sums + anew [MB]", "theirs [MB]", "error",
        "error of the model alone",
    )  # fmt: skip
    return Table("Traffic between global buffer and array, fills from DRAM left out.", columns, tuple(lines))


def _dram(layers: list[Layer]) -> Table:
    lines: list[tuple[Cell, ...]] = []
    for each, after in zip(layers, [*layers[1:], None], strict=True):
        theirs = float(each.row["dram_mb"])
        weights, inputs, outputs = (_bytes(each.cost, "DRAM", operand) / 1e6 for operand in Operand)
        plain = weights + inputs + outputs
        line = (each.name, weights, inputs, outputs, plain, theirs, percent(plain, theirs))
        # Where the next layer reads what this one writes, its zeros are this one's; pooling comes between the others.
        if after is not None and after.row["hw"] == each.row["hw"]:
            inside = (each.nest.P / int(each.row["hw"])) ** 2  # padding is made on the chip
            packed = weights + inputs * inside * _packed(each) + outputs * _packed(after)
            lines.append((*line, f"{packed:.3g}", percent(packed, theirs)))
        else:
            lines.append((*line, "", ""))
    columns = (
        "layer", "weights [MB]", "inputs [MB]", "outputs [MB]", "all [MB]", "theirs [MB]", "error", "packed [MB]",
        "error packed",
    )  # fmt: skip
    return Table("DRAM traffic; theirs is run-length coded, `packed` is ours coded likewise.", columns, tuple(lines))


def _packed(layer: Layer) -> float:
    """Size of a layer's run-length coded inputs relative to plain ones, at the zeros that were measured."""
    return min(1.0, (1 - float(layer.row["zeros"]) / 100) * RUN_BITS / BITS)


def _mapped(layers: list[Layer]) -> Table:
    lines: list[tuple[Cell, ...]] = []
    for each in layers:
        found = map_layer(each.nest, load_hardware(CHIP), BITS, BITS)
        mapping, certificate = found.mapping, found.certificate
        assert mapping is not None
        assert certificate is not None
        lines.append((
            each.name, each.cost.seconds * 1e3, found.seconds * 1e3, percent(found.seconds, each.cost.seconds),
            active(each.nest, mapping), percent(found.energy_joules, each.cost.energy_joules),
            "optimal" if certificate.proven else f"within {100 * certificate.gap:.1f} %", mapping.compact(),
        ))  # fmt: skip
    columns = ("layer", "published [ms]", "ours [ms]", "time", "active PEs", "energy", "proof", "mapping")
    return Table("The mapper's choice for latency in place of the published mapping.", columns, tuple(lines))


def _bytes(cost: LayerCost, level: str, operand: Operand, *, writes: bool = True) -> float:
    (access,) = (access for access in cost.traffic if access.memory == level and access.operand is operand)
    return float(access.read_bits + (access.write_bits if writes else 0)) / 8


FINDINGS = (
    "Active elements are exact. Processing latency is compute time, plus the ports of the global buffer where partial "
    "sums of many filters pass (CONV3), plus loading the filters of every pass over a 64-bit bus, for the scratchpads "
    "hold one pass and cannot prefetch. Missing in the model: at the start of a pass no element begins before its "
    "first window of inputs has come over the 16-bit bus. The second table adds this by hand. It explains half of what "
    "CONV1 and CONV2 lack, and is too much for CONV4 and CONV5, whose latencies cannot both follow from equal passes: "
    "their mapping is the same, their time a pass is not.",
    "Buffer traffic comes out within 0.3 % when every pass streams its input rows anew. The model lets an "
    "element keep the row that slides through it, which spares passes over further filters of the same rows (CONV1, "
    "CONV2); in the other layers four images follow one another and nothing is spared.",
    "CONV3's published mapping (4 channels in an element, 4 sets over filters) does not make the buffer traffic that "
    "was measured; CONV4's (3 channels, 2 sets over channels, 2 over filters) does. The chip probably ran that.",
    "DRAM traffic is plain in the model and run-length coded on the chip. Coding ours by the measured zeros brings the "
    "two layers whose inputs and outputs are both known near the measurement. Skipping zeros saves energy on this "
    "chip, not time.",
)
