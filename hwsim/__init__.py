"""hwsim: what an ensemble of mixed-precision networks costs on a reconfigurable accelerator.

    import hwsim
    chip = hwsim.load_hardware("turing")
    cost = hwsim.map_layer(hwsim.gemm(M=512, N=768, K=768), chip, weight_bits=4, activation_bits=8)

The flow: `load_hardware`, `load_ensemble` and `load_network` read; `map_layer`, `map_network` and `map_ensemble` find
the best mappings and cost them; `simulate_ensemble` plays them event by event; `price` costs a given mapping;
`to_frame` makes a data frame of any of these. `load_space` reads a design space, and `sweep` looks at all of it. The
kernels under `price` take arrays: state a `problem`, wrap its loops (`PricedLoop`, bounds of any broadcastable shapes)
in `NestArrays`, and count `flows`, `accesses`, `cycles`, `access_energy` and `occupancy` of all of them at once. The
`throughput` and `energy` of a chip's datapath, and `hwsim.ensemble.equation6`, take arrays of bit-widths.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hwsim.cost.access import accesses as accesses
    from hwsim.cost.capacity import occupancy as occupancy
    from hwsim.cost.cycles import cycles as cycles
    from hwsim.cost.energy import access_energy as access_energy, mac_energy as mac_energy
    from hwsim.cost.layer import LayerCost as LayerCost, price as price
    from hwsim.cost.problem import Problem as Problem, problem as problem
    from hwsim.cost.traffic import NestArrays as NestArrays, PricedLoop as PricedLoop, flows as flows
    from hwsim.ensemble.ensemble_cost import EnsembleCost as EnsembleCost, map_ensemble as map_ensemble
    from hwsim.ensemble.equation6 import equation6 as equation6
    from hwsim.ensemble.network_cost import NetworkCost as NetworkCost, map_network as map_network
    from hwsim.errors import HwsimError as HwsimError, Infeasible as Infeasible, SpecError as SpecError
    from hwsim.importers import load_network as load_network
    from hwsim.mapper import map_layer as map_layer
    from hwsim.mapping.mapping import (
        LevelMapping as LevelMapping,
        Loop as Loop,
        Mapping as Mapping,
        SpatialLoop as SpatialLoop,
    )
    from hwsim.operators.nest import LoopNest as LoopNest, Operand as Operand
    from hwsim.operators.shapes import conv as conv, gemm as gemm
    from hwsim.report.files import to_frame as to_frame
    from hwsim.search.sweeps.sweep import sweep as sweep
    from hwsim.simulate.members.run import simulate_ensemble as simulate_ensemble
    from hwsim.simulate.members.simulation import Simulation as Simulation
    from hwsim.spec.ensemble import Ensemble as Ensemble, Member as Member
    from hwsim.spec.hardware import Hardware as Hardware
    from hwsim.spec.load import (
        load_ensemble as load_ensemble,
        load_hardware as load_hardware,
        load_space as load_space,
    )
    from hwsim.spec.measurement import (
        Measurement as Measurement,
        append_measurements as append_measurements,
        read_measurements as read_measurements,
    )
    from hwsim.spec.network import Network as Network
    from hwsim.spec.space import Space as Space

__version__ = "0.1.0"

#: Public name -> the module that defines it, imported at the name's first use (PEP 562).
_HOME = {
    "Ensemble": "hwsim.spec.ensemble",
    "EnsembleCost": "hwsim.ensemble.ensemble_cost",
    "Hardware": "hwsim.spec.hardware",
    "HwsimError": "hwsim.errors",
    "Infeasible": "hwsim.errors",
    "LayerCost": "hwsim.cost.layer",
    "LevelMapping": "hwsim.mapping.mapping",
    "Loop": "hwsim.mapping.mapping",
    "LoopNest": "hwsim.operators.nest",
    "Mapping": "hwsim.mapping.mapping",
    "Measurement": "hwsim.spec.measurement",
    "Member": "hwsim.spec.ensemble",
    "NestArrays": "hwsim.cost.traffic",
    "Network": "hwsim.spec.network",
    "NetworkCost": "hwsim.ensemble.network_cost",
    "Operand": "hwsim.operators.nest",
    "PricedLoop": "hwsim.cost.traffic",
    "Problem": "hwsim.cost.problem",
    "Simulation": "hwsim.simulate.members.simulation",
    "Space": "hwsim.spec.space",
    "SpatialLoop": "hwsim.mapping.mapping",
    "SpecError": "hwsim.errors",
    "access_energy": "hwsim.cost.energy",
    "accesses": "hwsim.cost.access",
    "append_measurements": "hwsim.spec.measurement",
    "conv": "hwsim.operators.shapes",
    "cycles": "hwsim.cost.cycles",
    "equation6": "hwsim.ensemble.equation6",
    "flows": "hwsim.cost.traffic",
    "gemm": "hwsim.operators.shapes",
    "load_ensemble": "hwsim.spec.load",
    "load_hardware": "hwsim.spec.load",
    "load_network": "hwsim.importers",
    "mac_energy": "hwsim.cost.energy",
    "load_space": "hwsim.spec.load",
    "map_ensemble": "hwsim.ensemble.ensemble_cost",
    "map_layer": "hwsim.mapper",
    "map_network": "hwsim.ensemble.network_cost",
    "occupancy": "hwsim.cost.capacity",
    "price": "hwsim.cost.layer",
    "problem": "hwsim.cost.problem",
    "read_measurements": "hwsim.spec.measurement",
    "simulate_ensemble": "hwsim.simulate.members.run",
    "sweep": "hwsim.search.sweeps.sweep",
    "to_frame": "hwsim.report.files",
}

if not TYPE_CHECKING:  # a checker sees the imports above, and so still reports a misspelt name

    def __getattr__(name: str) -> object:
        if name not in _HOME:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = globals()[name] = getattr(import_module(_HOME[name]), name)
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
