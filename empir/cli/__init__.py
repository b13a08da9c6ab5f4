"""The command line. Commands import what they need when they run, so that `empir --help` answers without torch."""

from __future__ import annotations

from importlib import import_module

import click

from empir import __version__
from hwsim.console import SETTINGS, Commands

#: Every command is the function of its name in the module of its name.
NAMES = ("attack", "report", "train", "verify")


class _Lazy(Commands):
    """Commands that are imported when they are first asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of all commands."""
        return [*NAMES, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, None if there is none."""
        if cmd_name not in NAMES:
            return super().get_command(ctx, cmd_name)
        command = getattr(import_module(f"empir.cli.{cmd_name}"), cmd_name)
        assert isinstance(command, click.Command)
        return command


@click.group(
    cls=_Lazy,
    context_settings=SETTINGS,
    epilog="Exit codes: 0 success; 2 bad input; 130 interrupted (what was finished until then is not done again); "
    "141 the reader of the output went away.",
)
@click.version_option(__version__, prog_name="empir")
def main() -> None:
    """Train ensembles of mixed-precision networks, attack them, and say how robust they are.

    An ensemble (--ensemble) is the YAML file that hwsim prices. Measurements are lines of JSON that hwsim reads.
    """
