"""Train one small member in processes that are killed: `python -m ... FOLDER`, prints one line for each process.

The processes are forked from one that has imported torch and computed nothing, which saves their start.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import torch

from empir.training.recipe import Recipe
from empir.training.train import member_seeds, train_member
from tests.unit.empir.training.small import ensemble, images

BATCH = 16


def train(folder: Path, at_step: int | None = None, at_write: int | None = None) -> None:
    """Train; die at the end of a step, or while the so-many-th file is put in place."""
    torch.set_num_threads(1)
    real, written = os.replace, 0

    def progress(done: int, total: int) -> None:
        if done == BATCH * (at_step or -1):
            os.kill(os.getpid(), signal.SIGKILL)

    def replace(source: Path, target: Path) -> None:
        nonlocal written
        written += 1
        if written == at_write:
            os.kill(os.getpid(), signal.SIGKILL)
        real(source, target)

    vars(os)["replace"] = replace
    spec = ensemble()
    member, seed = spec.expanded()[1], member_seeds(spec, 0)[1]
    train_member(spec, member, images(), Recipe(epochs=4, batch_size=BATCH), seed, folder=folder, progress=progress)


def forked(folder: Path, **cut: int) -> int:
    """Start a process that trains; its number."""
    child = os.fork()
    if not child:
        try:
            train(folder, **cut)
            os._exit(0)
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
            os._exit(1)
    return child


def finish(*children: int) -> None:
    """Wait for processes; prints how each ended: 0, or less the number of the signal."""
    for child in children:
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


def main(folder: Path) -> None:
    """An undisturbed training; one that is killed in an epoch, then at a write; two that go on with it at once."""
    finish(forked(folder / "whole"))
    finish(forked(folder / "cut", at_step=8))
    finish(forked(folder / "cut", at_write=1))
    finish(*[forked(folder / "cut") for _ in range(2)])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
