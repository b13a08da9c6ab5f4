"""The README, and a study's, show what really happens: every command in a ```console block is run, its output compared.

A block is a terminal of 120 columns, opened in the root of the repository: `$ ` starts a command, `> ` continues one
that ends in a backslash, and all that follows is what the command prints. Commands run in the order of the text, so a
later one may read a file that an earlier one wrote. Only a line that ends in "s elapsed" may differ from run to run.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

#: Other studies' commands take minutes; those pages are compared in tests/validation.
PAGES = ("README.md", "studies/sen_iclr2020/mnist5k/README.md")


@dataclass(frozen=True)
class Example:
    """One command of a page and the text printed under it."""

    place: str
    command: str
    output: str


def examples(page: str) -> list[Example]:
    """The commands of every console block of a Markdown page, in order."""
    found = []
    text = (ROOT / page).read_text(encoding="utf-8")
    for block in re.finditer(r"^```console\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        starts = [block.start(1) + match.start() for match in re.finditer(r"^\$ ", block[1], re.MULTILINE)]
        for start, end in zip(starts, [*starts[1:], block.end(1)], strict=True):
            command, _, output = text[start + 2 : end].replace("\\\n> ", "").partition("\n")
            found.append(Example(f"{page}:{text.count(chr(10), 0, start) + 1}", command, output))
    return found


def settled(output: str) -> list[str]:
    """Lines without what may differ from run to run: trailing blanks, and the time a step took."""
    lines = [line.rstrip() for line in output.rstrip().splitlines()]
    return ["... s elapsed" if line.endswith("s elapsed") else line for line in lines]


COMMANDS = [one for page in PAGES for one in examples(page) if one.command.startswith(("hwsim ", "empir "))]


def test_the_readme_shows_the_help_and_a_mapped_ensemble() -> None:
    shown = [example.command for example in COMMANDS if example.place.startswith("README.md:")]
    assert {"hwsim --help", "empir --help"} <= set(shown)
    assert any(command.startswith("hwsim map --ensemble ") for command in shown)


@pytest.fixture(scope="module")
def checkout(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that looks like the root of the repository, for commands that write files."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in ("README.md", "hw_configs", "studies"):
        (folder / name).symlink_to(repository / name)
    return folder


@pytest.mark.parametrize("example", COMMANDS, ids=[f"{e.place}: {e.command}" for e in COMMANDS])
def test_a_command_of_a_page_prints_what_is_shown(example: Example, checkout: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *shlex.split(example.command)],
        cwd=checkout,
        env={**os.environ, "COLUMNS": "120", "NO_COLOR": "1", "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert settled(done.stdout) == settled(example.output)
    assert done.returncode in (0, 1, 2)  # within the budget, over it, bad input
