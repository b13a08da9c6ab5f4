"""The command line. Commands import what they need when they run, so that `hwsim --help` answers at once."""

from __future__ import annotations

import click

from hwsim import __version__
from hwsim.cli.describe import check, hw, network, schema
from hwsim.cli.layer import layer
from hwsim.cli.map import map_command
from hwsim.cli.pareto import pareto
from hwsim.cli.plot import plot
from hwsim.cli.search import search
from hwsim.cli.simulate import simulate
from hwsim.cli.sweep import sweep
from hwsim.cli.validate import validate
from hwsim.console import SETTINGS, Commands


@click.group(
    cls=Commands,
    context_settings=SETTINGS,
    epilog="Exit codes: 0 success, within the budget; 1 over the budget; 2 bad input, or nothing feasible; "
    "130 interrupted (what was done until then is kept); 141 the reader of the output went away.",
)
@click.version_option(__version__, prog_name="hwsim")
def main() -> None:
    """What an ensemble of mixed-precision networks costs on a reconfigurable accelerator.

    Chips (--hw) are a preset's name or the path of a YAML file. Networks are a preset's name, the path of an .onnx
    file, or package.module:function returning a torch.nn.Module.
    """


for command in (check, hw, layer, map_command, network, pareto, plot, schema, search, simulate, sweep, validate):
    main.add_command(command)
