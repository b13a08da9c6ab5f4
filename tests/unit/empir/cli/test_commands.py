"""The command line as a whole: its commands, and how it fails."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from empir.cli import NAMES, main


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], catch_exceptions=False)


def test_every_command_is_listed_with_what_it_does() -> None:
    listed = run("--help").stdout
    assert all(f"\n  {name} " in listed for name in NAMES)
    assert list(NAMES) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_option_is_explained(name: str) -> None:
    command = main.get_command(click.Context(main), name)
    assert command is not None
    assert command.help
    options = [parameter for parameter in command.params if isinstance(parameter, click.Option)]
    assert options
    assert all(option.help for option in options)
    assert run(name, "--help").exit_code == 0


def test_an_unknown_command_is_refused() -> None:
    done = run("atack")
    assert done.exit_code == 2
    assert "No such command 'atack'" in done.stderr


@pytest.mark.parametrize("name", ["attack", "train", "verify"])
def test_a_missing_ensemble_is_a_message(name: str, tmp_path: Path) -> None:
    done = run(name, "--ensemble", tmp_path / "nowhere.yaml")
    assert done.exit_code == 2
    assert done.stderr == f"{tmp_path / 'nowhere.yaml'}: no such file\n"


def test_a_missing_file_of_measurements_is_a_message(tmp_path: Path) -> None:
    done = run("report", tmp_path / "nowhere.jsonl")
    assert done.exit_code == 2
    assert done.stderr == f"{tmp_path / 'nowhere.jsonl'}: cannot be read: no such file or directory\n"


def test_a_reader_that_goes_away_is_no_error_to_speak_of() -> None:
    program = '{ sleep 0.3; exec "$0" -m empir --help; } | :; exit ${PIPESTATUS[0]}'
    done = subprocess.run(
        ["bash", "-c", program, sys.executable], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (141, "")
