"""What a layer takes: by the closed form, or played event by event."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from hwsim.cost.energy import static_power
from hwsim.cost.layer import LayerCost
from hwsim.spec.hardware import Hardware

Timing = Literal["closed_form", "simulated"]


@dataclass(frozen=True)
class Timed:
    """One layer on one chip.

    Args:
        cycles: [cycles].
        joules: [J].
        peak: most that its tiles took of each memory, which less room would change [bits].
    """

    cycles: float
    joules: float
    peak: Mapping[str, float]


Timer = Callable[[LayerCost], Timed]


def timer(hardware: Hardware, timing: Timing) -> Timer:
    """Tells what the layers of a chip take; a layer that is played needs its problem."""
    return _closed_form if timing == "closed_form" else _player(hardware)


def _closed_form(cost: LayerCost) -> Timed:
    return Timed(cost.cycles, cost.energy_joules, {})


def _player(hardware: Hardware) -> Timer:
    from hwsim.simulate.layer.play import play  # not above: it imports SimPy
    from hwsim.simulate.members.simulation import Once

    once, leaks = Once(play), static_power(hardware) / hardware.clock

    def played(cost: LayerCost) -> Timed:
        own = once(cost)
        moved = cost.energy_joules - cost.energy.get("leakage", 0.0)
        return Timed(own.cycles, moved + leaks * own.cycles, own.peak)

    return played
