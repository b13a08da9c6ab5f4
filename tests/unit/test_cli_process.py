"""The command line as a process: signals, closed pipes, and what a run imports."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

#: Runs `hwsim` with the arguments that follow, and says on stderr which of these packages it has imported.
WATCHED = """
import sys
from hwsim.cli import main
try:
    main(sys.argv[1:])
finally:
    print(sorted({"numpy", "pydantic", "rich", "networkx", "pandas"} & sys.modules.keys()), file=sys.stderr)
"""

#: Runs `hwsim` with a mapper that is interrupted from outside while it works.
INTERRUPTED = """
import os, signal, sys, time
import hwsim.mapper
signal.signal(signal.SIGINT, signal.default_int_handler)  # a test run in the background inherits that it is ignored
def slow(*arguments, **options):
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(60)
hwsim.mapper.map_layer = slow
from hwsim.cli import main
main(sys.argv[1:])
"""


@pytest.fixture
def question(repository: Path, tmp_path: Path) -> list[str]:
    """Arguments of a map whose result no other test has asked for."""
    copy = tmp_path / "ensemble.yaml"
    copy.write_text((repository / "studies" / "sen_iclr2020" / "mnistconv.yaml").read_text())
    return ["map", "--ensemble", str(copy), "--hw", "empir_ideal"]


def python(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False, timeout=120
    )


def test_a_remembered_result_is_printed_without_what_computes_it(question: list[str]) -> None:
    first, second = (python(WATCHED, *question, "--json") for _ in range(2))
    assert json.loads(first.stdout) == json.loads(second.stdout)
    assert (first.returncode, second.returncode) == (1, 1)
    assert "numpy" in first.stderr
    assert second.stderr.strip() == "[]"
    table = python(WATCHED, *question)
    assert "numpy" not in table.stderr
    assert "networkx" not in table.stderr


def test_mapping_needs_no_data_frames_or_graphs(question: list[str]) -> None:
    done = python(WATCHED, *question, "--no-cache")
    assert done.stderr.strip() == "['numpy', 'pydantic', 'rich']"


def test_an_interrupt_exits_with_130(question: list[str]) -> None:
    done = python(INTERRUPTED, *question, "--no-cache")
    assert done.returncode == 130
    assert not done.stdout
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_reader_that_goes_away_is_no_error_to_speak_of(question: list[str], options: list[str]) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "hwsim", *question, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()  # long before anything is written
        complaints = process.stderr.read()
    assert process.returncode == 128 + signal.SIGPIPE
    assert not complaints


@pytest.mark.parametrize("arguments", [["--help"], ["layer", "--help"], ["hw", "list"], ["schema", "hardware"]])
@pytest.mark.parametrize(("output", "code"), [("broken pipe", 141), ("full disk", 2), ("closed", 0)])
def test_output_that_goes_nowhere(arguments: list[str], output: str, code: int) -> None:
    redirected = {"broken pipe": "| :; exit ${PIPESTATUS[0]}", "full disk": "> /dev/full", "closed": ">&-"}[output]
    wait = "sleep 0.3; " if output == "broken pipe" else ""  # until there is no reader any more
    program = f'{{ {wait}exec "$0" -m hwsim "$@"; }} {redirected}'
    done = subprocess.run(
        ["bash", "-c", program, sys.executable, *arguments], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == code
    assert done.stderr == ("No space left on device\n" if output == "full disk" else "")
