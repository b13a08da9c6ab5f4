"""`hwsim validate`: hwsim beside chips and other tools."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("name", required=False)
@click.option(
    "--data",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File of figures, for a study that does not bring them along.",
)
def validate(name: str | None, data: Path | None) -> None:
    """Compare hwsim with chips and other tools; without a name, list the studies."""
    from hwsim.validate import studies, validate as run

    click.echo("\n".join(studies()) if name is None else str(run(name, data)))
