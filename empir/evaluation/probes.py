"""What a network's gradients and activations look like: the measurements that gates judge."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from empir.attacks.interface import loss_gradient
from empir.ensemble.module import EnsembleModule
from empir.evaluation.accounting import Classes
from empir.evaluation.attacked import Question
from empir.evaluation.gates import Saturation
from empir.evaluation.target import Target
from empir.quantization.layers import DoReFaActivation


def without_gradient(target: Target, question: Question, samples: Classes) -> float:
    """Share of samples where the loss's gradient is exactly zero in every pixel."""
    model, blind = question.model(target), 0
    for images, labels in _batches(target, samples):
        blind += int((loss_gradient(model, images, labels) == 0).flatten(1).all(1).sum())
    return blind / len(samples)


@torch.no_grad()
def agreement(target: Target, question: Question) -> float:
    """Share of the images where the surrogate's greatest logit among the classes is the ensemble's decision."""
    model, agreeing, classes = question.model(target), 0, len(target.dataset.classes)
    for images, _ in _batches(target, np.arange(len(target.dataset))):
        agreeing += int((model(images)[:, :classes].argmax(1) == target.module.decide(images)).sum())
    return agreeing / len(target.dataset)


def saturation(target: Target, samples: Classes) -> tuple[Saturation, ...]:
    """How saturated the inputs of each layer are that quantises them, by member.

    Layers that read the image itself are left out: black and white are what images are made of.
    """
    counts: dict[str, np.ndarray] = {}
    with _watched(target.module, _reads_image(target), counts), torch.no_grad():
        for images, _ in _batches(target, samples):
            for member in target.module.members:
                member(images)
    return tuple(
        Saturation(
            layer=name,
            at_zero=float(low / total),
            at_one=float(high / total),
            closed=float(closed / images),
        )
        for name, (low, high, total, closed, images) in counts.items()
    )


@contextmanager
def _watched(ensemble: EnsembleModule, spared: str, counts: dict[str, np.ndarray]) -> Iterator[None]:
    """Count, for as long as this lasts, what quantisers of activations read."""

    def note(name: str, _: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        low, high = (inputs[0] <= 0).flatten(1), (inputs[0] >= 1).flatten(1)
        closed = (low | high).all(1)
        seen = [int(low.sum()), int(high.sum()), low.numel(), int(closed.sum()), len(closed)]
        counts[name] = counts.get(name, 0) + np.array(seen)

    hooks = [
        part.register_forward_pre_hook(partial(note, f"{name} {layer}"))
        for name, member in zip(ensemble.names, ensemble.members, strict=True)
        for path, part in member.named_modules()
        if isinstance(part, DoReFaActivation) and part.bits < 32 and (layer := path.rpartition(".")[0]) != spared
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _reads_image(target: Target) -> str:
    """Name of the layer that reads the image: the first that has a matrix of weights."""
    member, called = target.module.members[0], list[str]()
    hooks = [
        part.register_forward_pre_hook(lambda *_, name=name: called.append(name))
        for name, part in member.named_modules()
        if getattr(part, "weight", None) is not None and part.weight.ndim > 1
    ]
    try:
        member(target.dataset.images(slice(0, 1)).to(target.device))
    finally:
        for hook in hooks:
            hook.remove()
    return called[0] if called else ""


def _batches(target: Target, samples: Classes) -> Iterator[tuple[Tensor, Tensor]]:
    for chunk in torch.from_numpy(samples).split(target.at_once):
        yield target.dataset.images(chunk).to(target.device), target.dataset.labels[chunk].to(target.device)
