"""What is installed is what is in the repository, chips included."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def installed(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that an installation of this tree's wheel fills."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(build, cwd=repository, check=True)
    (wheel,) = folder.glob("hwsim-*.whl")
    zipfile.ZipFile(wheel).extractall(folder / "site-packages")
    return folder / "site-packages"


def test_every_module_is_installed_and_marked_as_typed(repository: Path, installed: Path) -> None:
    packages = ("empir", "hwsim")
    modules = {path.relative_to(repository) for package in packages for path in (repository / package).rglob("*.py")}
    studies = {Path("hwsim") / path.relative_to(repository) for path in (repository / "studies").rglob("*.py")}
    assert modules | studies == {path.relative_to(installed) for path in installed.rglob("*.py")}
    assert all((installed / package / "py.typed").exists() for package in packages)


def test_the_installed_command_finds_every_chip(repository: Path, installed: Path, tmp_path: Path) -> None:
    (entry_points,) = installed.glob("hwsim-*.dist-info/entry_points.txt")
    assert {"hwsim = hwsim.cli:main", "empir = empir.cli:main"} <= set(entry_points.read_text().splitlines())
    done = subprocess.run(
        [sys.executable, "-m", "hwsim", "hw", "list"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    chips = {path.stem for path in (repository / "hw_configs").glob("*.yaml")}
    assert chips
    assert chips <= set(done.stdout.split())
