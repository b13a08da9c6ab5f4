"""The one place where bounds are checked, and what attacks that compare logits see."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn

from empir.attacks import ClassLogits, attack, run
from empir.attacks.interface import Attack, Judged
from hwsim.errors import HwsimError
from tests.unit.empir.attacks.toys import Pair, network, task


class Thrown(Attack):
    """Throws every value far away, by a different distance each."""

    name: ClassVar = "thrown"
    norm: ClassVar = "linf"
    most: int = 3

    def radius(self, images: Tensor) -> float | None:
        return self.most if self.norm == "l0" else self.epsilon

    def perturb(self, model: nn.Module, images: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        ramp = torch.linspace(0.1, 5, images[0].numel()).view_as(images[0])
        return images + torch.where(images < 0.5, ramp, -ramp)


class Lost(Attack):
    """Finds nothing for every other image, and says so in one value."""

    name: ClassVar = "lost"
    norm: ClassVar = "linf"

    def perturb(self, model: nn.Module, images: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        found = torch.full_like(images, 0.25)
        found[::2, 0, 0, 0] = torch.nan
        found[2, 0, 0, 0] = torch.inf
        return found


class Drawn(Attack):
    """Adds global random numbers of every kind, as libraries do."""

    name: ClassVar = "drawn"
    norm: ClassVar = "linf"

    def perturb(self, model: nn.Module, images: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        import random

        import numpy as np

        return torch.rand_like(images) * random.random() * np.random.rand()


IMAGES, LABELS = task(6, 0)
MODEL = network(0)


def thrown(norm: str, **changes: Any) -> Tensor:
    kind = type("Thrown", (Thrown,), {"norm": norm, "__annotations__": {"norm": ClassVar}})
    return run(kind(**changes), MODEL, IMAGES, LABELS, seed=0)


def test_linf_clips_every_value() -> None:
    found = thrown("linf", epsilon=0.2)
    far = torch.where(IMAGES < 0.5, IMAGES + 0.2, IMAGES - 0.2)
    near = torch.linspace(0.1, 5, 100).view(1, 1, 10, 10) < 0.2
    torch.testing.assert_close(found, torch.where(near, found, far).clamp(0, 1))
    assert float((found - IMAGES).abs().max()) <= 0.2 + 1e-7


def test_l2_shortens_the_change() -> None:
    """The image is clipped to [0, 1] first; the direction of what is left stays."""
    whole = thrown("l2") - IMAGES
    short = thrown("l2", epsilon=0.5) - IMAGES
    torch.testing.assert_close(short, whole * (0.5 / whole.flatten(1).norm(dim=1)).view(-1, 1, 1, 1))
    assert float((thrown("l2", epsilon=1000.0) - IMAGES - whole).abs().max()) < 1e-6


def test_l0_keeps_the_largest_changes() -> None:
    whole, few = thrown("l0", most=100) - IMAGES, thrown("l0") - IMAGES
    for one, other in zip(whole.flatten(1), few.flatten(1), strict=True):
        assert sorted(other.abs()[other != 0].tolist()) == pytest.approx(sorted(one.abs().tolist())[-3:])


def test_what_is_no_number_becomes_the_original() -> None:
    found = run(Lost(), MODEL, IMAGES, LABELS, seed=0)
    assert torch.equal(found[::2], IMAGES[::2])
    assert bool((found[1::2] == 0.25).all())


def test_libraries_draw_from_the_seed() -> None:
    torch.manual_seed(1)
    one = run(Drawn(), MODEL, IMAGES, LABELS, seed=3)
    torch.manual_seed(2)
    assert torch.equal(one, run(Drawn(), MODEL, IMAGES, LABELS, seed=3))
    assert not torch.equal(one, run(Drawn(), MODEL, IMAGES, LABELS, seed=4))


@pytest.mark.parametrize(
    ("images", "labels", "complaint"),
    [
        (IMAGES * 255, LABELS, "images must be in"),
        (IMAGES - 0.5, LABELS, "images must be in"),
        (IMAGES / 0, LABELS, "images must be in"),
        (IMAGES.double(), LABELS, "float32"),
        (IMAGES[0], LABELS, r"\[n, channels, height, width\]"),
        (IMAGES, LABELS[:5], r"labels must be int64 \[6\], not int64 \[5\]"),
        (IMAGES, LABELS.int(), r"labels must be int64 \[6\], not int32 \[6\]"),
        (IMAGES, LABELS - 1, "labels must not be negative"),
    ],
)
def test_what_goes_in_is_checked(images: Tensor, labels: Tensor, complaint: str) -> None:
    with pytest.raises(HwsimError, match=complaint):
        run(Lost(), MODEL, images, labels, seed=0)


def test_batches_are_counted() -> None:
    sizes: list[int] = []
    run(attack("fgsm", "mnist5k"), MODEL, IMAGES, LABELS, seed=0, batch_size=4, progress=sizes.append)
    assert sizes == [4, 2]


def test_the_model_rests_and_wakes_up_as_it_was() -> None:
    """Dropout is off while it is attacked; a part that was in evaluation mode stays so."""
    model = nn.Sequential(nn.Dropout(0.9), MODEL).train()
    model[1].eval()
    fgsm = attack("fgsm", "mnist5k")
    assert torch.equal(run(fgsm, model, IMAGES, LABELS, seed=0), run(fgsm, MODEL, IMAGES, LABELS, seed=0))
    assert model[0].training
    assert not model[1].training


def test_a_vote_has_no_gradient_to_follow() -> None:
    class Vote(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return nn.functional.one_hot(MODEL(images).argmax(1), 5).float()

    with pytest.raises(HwsimError, match="attack a surrogate"):
        run(attack("pgd", "mnist5k"), Vote(), IMAGES, LABELS, seed=0)


class Table(nn.Module):
    """Logits that are the image's own values."""

    def forward(self, images: Tensor) -> Tensor:
        return images.flatten(1)


def test_the_greatest_logit_is_the_decision() -> None:
    draw = torch.Generator().manual_seed(0)
    logits = torch.randn(500, 1, 1, 5, generator=draw) * 100
    logits[::3, :, :, 1:] = logits[::3, :, :, :1]  # where all are equal
    decided = torch.randint(5, (500,), generator=draw)
    seen = ClassLogits(Judged(Table(), lambda images: decided))(logits)
    assert torch.equal(seen.argmax(1), decided)
    others = torch.arange(5) != decided[:, None]
    assert torch.equal(seen[others], logits.flatten(1)[others])
    agreed = logits.flatten(1).argmax(1) == decided
    agreed[::3] = False
    assert torch.equal(seen[agreed], logits.flatten(1)[agreed])
    torch.testing.assert_close(seen.max(1).values, logits.flatten(1).max(1).values)


def test_the_decision_changes_no_gradient() -> None:
    pair = Pair(network(1), network(2))
    images = IMAGES.clone().requires_grad_()
    judged = ClassLogits(Judged(pair, lambda images: LABELS))(images)
    plain = pair.class_logits(images)
    for c in range(5):
        (one,), (other,) = (torch.autograd.grad(z[:, c].sum(), images, retain_graph=True) for z in (judged, plain))
        torch.testing.assert_close(one, other)
