"""What every attack is, and the one place where its bounds are checked.

A model is an nn.Module from images in [0, 1] to logits [batch, classes]. A surrogate may return more logits than there
are classes, whose only use is to make its cross-entropy right; then its method `class_logits` returns those of the
classes. Attacks on the cross-entropy take the model as it is, attacks that compare logits take `ClassLogits(model)`.
"""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from hwsim.errors import HwsimError
from hwsim.value import Value

Norm = Literal["linf", "l2", "l0"]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]
Decide = Callable[[Tensor], Tensor]

#: One ImageNet channel's standard deviation [pixel range], the narrowest of the three: the released code's unit.
IMAGENET_DEVIATION = 0.224

#: Bound of every L-infinity attack on a data set [pixel range]: Table 1 of Sen et al., ICLR 2020. AlexNet's 0.1 is
#: in standard deviations of a channel there, which makes 5.7/255.
EPSILON: Mapping[str, float] = {
    "mnist5k": 0.3,
    "mnist": 0.3,
    "fashion_mnist": 0.3,
    "cifar10": 0.1,
    "imagenet": 0.1 * IMAGENET_DEVIATION,
}


class Attack(Value, ABC):
    """A search for wrongly decided images near given ones; its fields are its parameters."""

    name: ClassVar[str]
    norm: ClassVar[Norm]
    """In which the distance from the original is bounded, or kept small where epsilon is None."""
    strong: ClassVar[bool] = False
    """Whether it claims to find an adversarial example where there is one: it must then pass the binarisation test."""

    epsilon: Positive | None = None
    """Most distance from the original, in `norm` [pixel range]; None: no bound."""

    @classmethod
    def published(cls, dataset: str) -> dict[str, Any]:
        """Parameters that Table 1 of Sen et al. (2020) gives for a data set, less those that are defaults anyhow."""
        return {"epsilon": EPSILON[dataset]} if cls.norm == "linf" and dataset in EPSILON else {}

    @abstractmethod
    def perturb(self, model: nn.Module, images: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        """Images that the model should get wrong.

        `run` is what calls this; it checks what goes in and comes out, and fences the global random numbers in.

        Args:
            model: in evaluation mode.
            images: float32 [batch, channels, height, width] in [0, 1].
            labels: int64 [batch], the class to get away from.
            generator: on the CPU, the only source of random numbers.

        Returns:
            Like images; NaN, or the original, where nothing was found.
        """

    def radius(self, images: Tensor) -> float | None:
        """Most distance from the originals in `norm`: of pixels' values, or for l0 the number of values that differ."""
        return self.epsilon


def run(
    attack: Attack,
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    seed: int,
    decide: Decide | None = None,
    batch_size: int = 256,
    progress: Callable[[int], object] | None = None,
) -> Tensor:
    """Attack images, batch by batch.

    Args:
        images: float32 [n, channels, height, width] in [0, 1].
        labels: int64 [n]: true labels, or the model's own answers to count as the paper's code does.
        decide: what the attacked system answers [batch], where the model is only a surrogate of it. Attacks stop at,
            and choose among, images by this answer; without it, by the model's own.
        progress: called after each batch with its number of images.

    Returns:
        Like images: in [0, 1], within epsilon, and the original where an attack found nothing.

    Raises:
        HwsimError: images outside [0, 1] or labels that do not go with them.
    """
    _check(images, labels)
    if decide is not None:
        model = Judged(model, decide)
    generator = torch.Generator().manual_seed(seed)
    found = torch.empty_like(images)
    with _at_rest(model), fenced(generator):
        for start in range(0, len(images), batch_size):
            batch = slice(start, start + batch_size)
            found[batch] = _bounded(attack, model, images[batch], labels[batch], generator)
            if progress is not None:
                progress(len(found[batch]))
    return found


class ClassLogits(nn.Module):
    """What attacks that compare logits must see: the classes alone, the greatest being the decision.

    Where the decision is not the model's own, the logit of its class is lifted just above the others by a constant.
    Gradients are still those of the model, but an attack neither stops at an image that fools only the model, nor
    passes over one that fools only the decision.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model.model if isinstance(model, Judged) else model
        self.decide: Decide | None = model.decide if isinstance(model, Judged) else None

    def forward(self, images: Tensor) -> Tensor:
        """Logits [batch, classes]."""
        logits: Tensor = getattr(self.model, "class_logits", self.model)(images)
        if self.decide is None:
            return logits
        with torch.no_grad():
            decided = self.decide(images)[:, None]
            others = logits.scatter(1, decided, -torch.inf).amax(1, keepdim=True)
            above = torch.nextafter(others, others.new_tensor(torch.inf))
        own = logits.gather(1, decided)
        lifted = torch.maximum(own.detach(), above) + (own - own.detach())
        return logits.scatter(1, decided, lifted)


class Judged(nn.Module):
    """A surrogate that gives the gradient, beside the decision that is to be changed."""

    def __init__(self, model: nn.Module, decide: Decide) -> None:
        super().__init__()
        self.model, self.decide = model, decide

    def forward(self, images: Tensor) -> Tensor:
        """Logits of the surrogate, those that are no class included."""
        logits: Tensor = self.model(images)
        return logits


def decisions(model: nn.Module, images: Tensor) -> Tensor:
    """Class decided for each image, int64 [batch]."""
    with torch.no_grad():
        return model.decide(images) if isinstance(model, Judged) else ClassLogits(model)(images).argmax(1)


def loss_gradient(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """Gradient of each image's own cross-entropy with respect to it, like images; 0 where it is not a number."""
    images = images.detach().requires_grad_()
    with torch.enable_grad():
        loss = nn.functional.cross_entropy(model(images), labels, reduction="sum")
    if not loss.requires_grad:
        raise HwsimError("the attacked model has no gradient with respect to its images: attack a surrogate of it")
    return torch.autograd.grad(loss, images)[0].nan_to_num_(nan=0.0)


def per_image(values: Tensor, images: Tensor) -> Tensor:
    """One number an image [batch], shaped to be broadcast over the images."""
    return values.reshape(-1, *[1] * (images.ndim - 1))


def seed_from(generator: torch.Generator) -> int:
    """A seed for a library, drawn from a generator."""
    return int(torch.randint(2**31 - 1, (), generator=generator))


@contextmanager
def fenced(generator: torch.Generator) -> Iterator[None]:
    """Whatever draws from the global random numbers of torch, NumPy or Python draws seeded ones and leaves no trace."""
    kept = random.getstate(), np.random.get_state()
    seed = seed_from(generator)
    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()
    with torch.random.fork_rng(devices):
        try:
            torch.manual_seed(seed)
            np.random.seed(seed)
            random.seed(seed)
            yield
        finally:
            random.setstate(kept[0])
            np.random.set_state(kept[1])


@contextmanager
def _at_rest(model: nn.Module) -> Iterator[None]:
    """The model in evaluation mode and without gradients of its parameters, for as long as it is attacked."""
    modes = [(module, module.training) for module in model.modules()]
    learning = [parameter for parameter in model.parameters() if parameter.requires_grad]
    try:
        model.eval()
        for parameter in learning:
            parameter.requires_grad_(False)
        yield
    finally:
        for parameter in learning:
            parameter.requires_grad_(True)
        for module, training in modes:
            module.training = training


def _bounded(attack: Attack, model: nn.Module, images: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
    found = attack.perturb(model, images, labels, generator).detach()
    lost = ~found.flatten(1).isfinite().all(1)
    found = torch.where(per_image(lost, found), images, found).clamp(0, 1)
    radius = attack.radius(images)
    if radius is None:
        return found
    change = found - images
    if attack.norm == "linf":
        change = change.clamp(-radius, radius)
    elif attack.norm == "l2":
        norms = change.flatten(1).norm(dim=1).clamp_min(torch.finfo(change.dtype).tiny)
        change = change * per_image((radius / norms).clamp_max(1), change)
    else:
        flat = change.flatten(1)
        largest = flat.abs().topk(min(int(radius), flat.shape[1]), dim=1).indices
        change = torch.zeros_like(flat).scatter(1, largest, flat.gather(1, largest)).view_as(change)
    return (images + change).clamp(0, 1)


def _check(images: Tensor, labels: Tensor) -> None:
    faults = []
    if images.ndim != 4 or images.dtype != torch.float32:
        got = f"{images.dtype} {list(images.shape)}".removeprefix("torch.")
        faults.append(f"images must be float32 [n, channels, height, width], not {got}")
    elif len(images) and not bool(((images >= 0) & (images <= 1)).all()):
        faults.append("images must be in [0, 1]")
    if labels.dtype != torch.int64 or labels.shape != images.shape[:1]:
        faults.append(f"labels must be int64 [{len(images)}], not {labels.dtype} {list(labels.shape)}")
    elif len(labels) and int(labels.min()) < 0:
        faults.append("labels must not be negative")
    if faults:
        raise HwsimError("; ".join(faults).replace("torch.", ""))
