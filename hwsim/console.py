"""What the command lines share: failures end in a message on stderr and an exit code, never in a traceback."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from hwsim.errors import EXIT_BAD_INPUT, EXIT_INTERRUPTED, HwsimError, Infeasible

#: As if killed by SIGPIPE, which is what a shell reports for other programs.
EXIT_BROKEN_PIPE = 141

#: How every command answers `-h`, and how wide its help is.
SETTINGS: dict[str, Any] = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class Commands(click.Group):
    """Commands whose failures end in a message and an exit code, never in a traceback."""

    def make_context(self, *arguments: Any, **options: Any) -> click.Context:
        """Read the arguments; `--help` and `--version` are answered here."""
        if sys.stdout is None:  # closed by whoever started this
            sys.stdout = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")
        with _failures():
            return super().make_context(*arguments, **options)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command."""
        with _failures():
            result = super().invoke(ctx)
            sys.stdout.flush()  # here, where a reader that has gone away can still be dealt with
            return result


@contextmanager
def _failures() -> Iterator[None]:
    """Failures become a message on stderr and an exit code."""
    try:
        yield
    except Infeasible as error:
        click.echo(f"infeasible: {error}", err=True)
        code = EXIT_BAD_INPUT
    except HwsimError as error:
        click.echo(str(error), err=True)
        code = EXIT_BAD_INPUT
    except KeyboardInterrupt:
        click.echo("interrupted", err=True)
        code = EXIT_INTERRUPTED
    except BrokenPipeError:
        _discard_output()
        code = EXIT_BROKEN_PIPE
    except OSError as error:  # a full disk under stdout, say
        _discard_output()
        click.echo(": ".join(str(part) for part in (error.filename, error.strerror or error) if part), err=True)
        code = EXIT_BAD_INPUT
    else:
        return
    raise click.exceptions.Exit(code)


def _discard_output() -> None:
    """What stdout still holds cannot be written, and must not fail again at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
