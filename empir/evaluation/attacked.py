"""An ensemble's answers to attacked images, a file of them at a time, so that nothing is attacked twice.

A file lies in `<checkpoints>/attacked/<question>/<images>.npz`: the first name is a digest of ensemble, attack,
gradient, seed, versions and code, the second one of the pixels and of the labels that the attack gets away from.
"""

from __future__ import annotations

import ast
import hashlib
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch
from torch import Tensor, nn

from empir.attacks.interface import Attack, run
from empir.ensemble.surrogates import surrogate
from empir.evaluation.accounting import Classes
from empir.evaluation.answers import Answers, joined
from empir.evaluation.target import Target
from empir.evaluation.versions import versions

Progress = Callable[[int, int], object]

#: The ensemble's own scores as logits, for attacks that need no gradient.
SCORES = "scores"

_FIELDS = ("decisions", "members", "linf", "l2", "l0", "seconds")


@dataclass(frozen=True)
class Question:
    """How an ensemble is attacked.

    Args:
        attack: with its parameters; none asks for the answers to clean images.
        gradient: name of a surrogate, or `scores`.
        temperature: that the surrogate divides the members' logits by.
        blind: whether the attack sees the surrogate alone, and stops at what fools that, as the released code's does;
            otherwise it sees the ensemble's decision too.
    """

    attack: Attack | None = None
    gradient: str = SCORES
    temperature: float = 1.0
    blind: bool = False

    def model(self, target: Target) -> nn.Module:
        """What the attack differentiates, or asks."""
        if self.gradient == SCORES:
            return target.module
        return surrogate(self.gradient, target.module, self.temperature)

    @property
    def title(self) -> str:
        """`pgd-20`: the attack, and its iterations where it has any."""
        if self.attack is None:
            return "clean"
        iterations = getattr(self.attack, "iterations", None)
        return f"{self.attack.name}-{iterations}" if iterations else self.attack.name

    @property
    def surrogate(self) -> str:
        """`margin / 10`: gradient and temperature."""
        return self.gradient if self.temperature == 1 else f"{self.gradient} / {self.temperature:g}"

    def __str__(self) -> str:
        """Both."""
        return self.title if self.attack is None else f"{self.title} on {self.surrogate}"

    def key(self, target: Target) -> str:
        """Digest of everything but the images."""
        attack = None if self.attack is None else (self.attack.name, self.attack.fingerprint())
        model = self.gradient, self.temperature, self.blind
        parts = (target.key, attack, *model, target.seed, versions(), _code())
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def attacked(
    target: Target, question: Question, samples: Classes, guides: Classes, progress: Progress | None = None
) -> Answers:
    """The ensemble's answers to some of its images after an attack.

    Args:
        samples: indices of the images [n].
        guides: class that the attack gets each image away from [n].
        progress: called with the number of images done and n.
    """
    note = progress or (lambda done, total: None)
    folder = target.folder and target.folder / "attacked" / question.key(target)
    model = question.model(target)
    parts = []
    note(0, len(samples))
    for start in range(0, max(len(samples), 1), target.at_once):
        batch = slice(start, start + target.at_once)
        images = target.dataset.images(torch.from_numpy(samples[batch]))
        name = _digest(images, guides[batch])
        path = folder and folder / f"{name}.npz"
        part = path and _read(path)
        if not part:
            part = _answers(target, question, model, images, torch.from_numpy(guides[batch]), _seed(target, name))
            if path:
                _write(path, part)
        parts.append(part)
        note(min(start + target.at_once, len(samples)), len(samples))
    return joined(parts)


def _answers(
    target: Target, question: Question, model: nn.Module, images: Tensor, guides: Tensor, seed: int
) -> Answers:
    images, began = images.to(target.device), time.perf_counter()
    found = images
    if question.attack is not None and len(images):
        # Where a member is drawn for every inference an attacker gains by fooling many, not by one lucky draw: there
        # the surrogate decides when an attack is done.
        blind = question.blind or target.drawn or model is target.module
        decide = None if blind else target.module.decide
        guides = guides.to(target.device)
        found = run(question.attack, model, images, guides, seed=seed, decide=decide, batch_size=len(images))
    with torch.no_grad():
        logits = target.module.logits(found)
        decisions = target.module.scores(logits, found).argmax(-1)
    change = (found - images).flatten(1)
    return Answers(
        decisions=decisions.cpu().numpy(),
        members=logits.softmax(-1).argmax(-1).cpu().numpy(),
        linf=change.abs().amax(1).cpu().numpy(),
        l2=change.norm(dim=1).cpu().numpy(),
        l0=(change != 0).sum(1).float().cpu().numpy(),
        seconds=time.perf_counter() - began,
    )


def _digest(images: Tensor, guides: Classes) -> str:
    digest = hashlib.sha256(repr(tuple(images.shape)).encode())
    digest.update(images.contiguous().numpy().data)
    digest.update(np.ascontiguousarray(guides, dtype="<i8").data)
    return digest.hexdigest()[:16]


def _seed(target: Target, name: str) -> int:
    """Of one file's random numbers: another for every set of images."""
    digest = hashlib.sha256(repr((target.seed, name)).encode()).digest()
    return int.from_bytes(digest[:4], "big") % (2**31 - 1)


def _read(path: Path) -> Answers | None:
    """What a file holds; None where it is missing or damaged."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as content:
            held = {name: content[name] for name in _FIELDS}
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return None
    return Answers(**{**held, "seconds": float(held["seconds"])})


def _write(path: Path, answers: Answers) -> None:
    """Keep answers. The file appears whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent)
    try:
        with open(handle, "wb") as file:
            np.savez(file, **{field: getattr(answers, field) for field in _FIELDS})
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


@cache
def _code() -> str:
    """Digest of the code that an answer depends on; comments, docstrings and layout do not count."""
    root = Path(__file__).parents[1]
    packages = ("quantization", "networks", "ensemble", "attacks")
    files = [*sorted(path for package in packages for path in (root / package).rglob("*.py")), Path(__file__)]
    return hashlib.sha256("\n".join(ast.dump(_bare(path)) for path in files).encode()).hexdigest()


def _bare(path: Path) -> ast.Module:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:]
    return tree
