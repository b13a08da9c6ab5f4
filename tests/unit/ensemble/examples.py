"""A network and chips small enough to be counted by hand."""

from __future__ import annotations

from typing import Any

from hwsim.datapaths import STYLES, DatapathStyle
from hwsim.operators.nest import Operand
from hwsim.spec.builder import Builder
from hwsim.spec.ensemble import Ensemble, Member, NetworkReference
from hwsim.spec.hardware import AccessEnergy, Hardware, Level, Memory, VectorUnit
from hwsim.spec.network import Network
from hwsim.units import Bandwidth

EVERYTHING = tuple(Operand)

#: Width of full precision in these examples [bits].
FULL = 8


def small_network() -> Network:
    """conv 1152 MACs, 72 weights; pool; fc 80 MACs, 80 weights, 5 biases; softmax. 32, 64, 16, 5 and 5 elements."""
    net = Builder("small")
    x = net.input("image", 2, 4, 4)
    x = net.unary("relu", net.conv(x, 4, 3, padding=1, name="conv"))
    x = net.pool("max", x, 2, name="pool")
    net.softmax(net.linear(net.flatten(x, name="flat"), 5, name="fc"), name="softmax")
    return net.build()


def datapath(reconfiguration: float = 0.0) -> DatapathStyle:
    """1, 2 and 4 multiply-accumulates a cycle at 8, 4 and 2 bits."""
    modes = [{"weights": bits, "activations": bits, "macs_per_cycle": 8 / bits, "energy": bits} for bits in (8, 4, 2)]
    given = {"style": "table", "modes": modes, "accumulator": 16, "reconfiguration": reconfiguration}
    return STYLES["table"].model_validate(given)


def small_chip(
    bandwidth: float | None = None,
    buffer: float | None = None,
    operations_per_cycle: float = float("inf"),
    reconfiguration: float = 0.0,
    **fields: Any,
) -> Hardware:
    """One multiplier below a buffer below DRAM, at 1 Hz; only what is asked for costs time.

    Args:
        bandwidth: of the DRAM [B/cycle].
        buffer: its size [B].
    """
    port = None if bandwidth is None else Bandwidth(bandwidth, "cycle")
    dram = Memory(
        name="DRAM",
        keeps=EVERYTHING,
        bandwidth=port,
        energy=AccessEnergy(read=1.0, write=2.0),
        buffering="streaming",
    )
    near = Memory(name="buffer", keeps=EVERYTHING, size=buffer, buffering="streaming")
    given: dict[str, Any] = {
        "name": "small",
        "clock": 1.0,
        "levels": (Level(name="DRAM", memories=(dram,)), Level(name="buffer", memories=(near,))),
        "datapath": datapath(reconfiguration),
        "vector": VectorUnit(operations_per_cycle=operations_per_cycle, energy=3.0),
        "fill_and_drain": False,
    }
    return Hardware(**(given | fields))


def small_ensemble(*bits: tuple[int, int], **fields: Any) -> Ensemble:
    """Members of these weight and activation bits; 8 bits are full precision."""
    members = tuple(Member(weights=weights, activations=activations) for weights, activations in bits)
    given: dict[str, Any] = {"name": "example", "network": NetworkReference(name="small"), "members": members}
    return Ensemble(**(given | {"full_precision_bits": FULL, "weights": "streamed"} | fields))
