"""The gradient of `paper` against the mean of the members' loss gradients, one backward pass for each member.

The loss of a member is written so that double precision keeps it where its softmax is saturated:
log(1 + sum_{c != y} exp(z_c - z_y)), whose gradient is exact however small.
"""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from empir.ensemble.module import Combiner, EnsembleModule
from empir.ensemble.surrogates import surrogate

CLASSES, BATCH = 5, 200
IMAGES = torch.rand(BATCH, 1, 3, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def networks(scale: float, count: int = 3, apart: float = 1.0) -> list[nn.Module]:
    """Two layers each; `scale` is that of the logits, `apart` that of the difference between the members."""
    generator = torch.Generator().manual_seed(int(scale) + count)

    def weights(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    first, last = weights(8, 12), weights(CLASSES, 8)
    made = [nn.Sequential(nn.Flatten(), nn.Linear(12, 8), nn.Tanh(), nn.Linear(8, CLASSES)) for _ in range(count)]
    for network in made:
        network.double().requires_grad_(False)
        network[1].weight.copy_(first + apart * weights(8, 12))
        network[3].weight.copy_(scale * (last + apart * weights(CLASSES, 8)))
    return made


def loss(z: Tensor, labels: Tensor) -> Tensor:
    own = F.one_hot(labels, CLASSES).bool()
    return -F.logsigmoid(-(z - z[own][:, None]).masked_fill(own, -torch.inf).logsumexp(1))


def direct(ensemble: EnsembleModule, images: Tensor, labels: Tensor, temperature: float, members: list[int]) -> Tensor:
    """Mean of the members' gradients, over those that count for each image."""
    gradients = []
    for i in members:
        x = images.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(loss(ensemble.members[i](x) / temperature, labels).sum(), x)
        gradients.append(gradient)
    if ensemble.combiner != "max_vote" or len(members) < len(ensemble.members):
        return torch.stack(gradients).mean(0)
    votes, final = ensemble.member_decisions(images), ensemble.decide(images)
    total = torch.zeros_like(images)
    for n in range(len(images)):
        counted = [gradient[n] for gradient, vote in zip(gradients, votes[:, n], strict=True) if vote == final[n]]
        total[n] = sum(counted) / len(counted)
    return total


def error(name: str, ensemble: EnsembleModule, labels: Tensor, temperature: float = 1.0) -> float:
    """Largest relative error of an image's gradient [1]."""
    members = [0] if name == "full_precision" else list(range(len(ensemble.members)))
    reference = direct(ensemble, IMAGES, labels, temperature, members)
    x = IMAGES.clone().requires_grad_()
    output = surrogate(name, ensemble, temperature)(x)
    (ours,) = torch.autograd.grad(F.cross_entropy(output, labels, reduction="sum"), x)
    return relative(ours, reference)


def relative(ours: Tensor, reference: Tensor) -> float:
    difference, size = ((x.flatten(1).abs().amax(1)) for x in (ours - reference, reference))
    seen = size > 1e-300  # below it, double precision has no digits left
    assert difference[~seen].lt(1e-300).all()
    return (difference[seen] / size[seen]).max().item() if seen.any() else 0.0


def labels(kind: str, ensemble: EnsembleModule) -> Tensor:
    """The model's own, the least likely, or any."""
    if kind == "own":
        return ensemble.decide(IMAGES)
    if kind == "least":
        return ensemble.logits(IMAGES).softmax(-1).mean(0).argmin(-1)
    return torch.randint(CLASSES, (BATCH,), generator=torch.Generator().manual_seed(5))


@pytest.mark.parametrize("kind", ["any", "own", "least"])
@pytest.mark.parametrize("scale", [0.1, 1.0, 10.0, 100.0, 1000.0])
@pytest.mark.parametrize("combiner", ["average", "max_vote", "random_switch"])
def test_the_mean_of_the_members_gradients(combiner: Combiner, scale: float, kind: str) -> None:
    ensemble = EnsembleModule(networks(scale), [True, False, False], combiner)
    assert error("paper", ensemble, labels(kind, ensemble)) < 1e-10


@pytest.mark.parametrize("temperature", [0.1, 10.0])
@pytest.mark.parametrize("combiner", ["average", "max_vote"])
def test_at_other_temperatures(combiner: Combiner, temperature: float) -> None:
    ensemble = EnsembleModule(networks(10.0), [True, False, False], combiner)
    assert error("paper", ensemble, labels("any", ensemble), temperature) < 1e-10


@pytest.mark.parametrize("apart", [0.0, 1e-12, 1e-8, 1e-4])
@pytest.mark.parametrize("scale", [1.0, 30.0])
def test_members_that_are_all_but_identical(apart: float, scale: float) -> None:
    """The missing mass is zero or rounding noise, its logarithm's derivative not."""
    ensemble = EnsembleModule(networks(scale, apart=apart), [True, False, False], "average")
    for kind in ("any", "own"):
        assert error("paper", ensemble, labels(kind, ensemble)) < 1e-6


@pytest.mark.parametrize("name", ["paper", "full_precision"])
@pytest.mark.parametrize("scale", [1.0, 100.0])
def test_one_member_has_its_own_gradient(name: str, scale: float) -> None:
    alone = EnsembleModule(networks(scale, 1), [True], "max_vote")
    assert error(name, alone, labels("own", alone)) < 1e-10
    if name == "full_precision":
        assert (
            error(name, EnsembleModule(networks(scale), [True, False, False], "average"), labels("any", alone)) < 1e-10
        )


def test_four_members_two_votes_each() -> None:
    """The tie is settled by full precision; the others' gradients do not count."""
    ensemble = EnsembleModule(networks(3.0, 4, apart=0.5), [True, False, True, False], "max_vote")
    votes = ensemble.member_decisions(IMAGES).sort(0).values
    tied = (votes[0] == votes[1]) & (votes[2] == votes[3]) & (votes[1] != votes[2])
    assert tied.sum() >= 5
    assert error("paper", ensemble, labels("any", ensemble)) < 1e-10


@pytest.mark.parametrize("combiner", ["average", "max_vote"])
@pytest.mark.parametrize("scale", [1.0, 10.0, 100.0])
def test_single_precision_to_its_own_precision(combiner: Combiner, scale: float) -> None:
    """From the same logits, saturated or not: what the surrogate adds to rounding, without the networks' own.

    Below 1e-30 it has no digits left.
    """
    generator = torch.Generator().manual_seed(2)
    z = torch.randn(BATCH, 3, 1, CLASSES, generator=generator) * scale
    ensemble = EnsembleModule([Channel(i) for i in range(3)], [True, False, False], combiner)
    for y in (ensemble.decide(z), torch.randint(CLASSES, (BATCH,), generator=generator)):
        reference = direct(ensemble, z.double(), y, 1.0, [0, 1, 2])
        x = z.clone().requires_grad_()
        (ours,) = torch.autograd.grad(F.cross_entropy(surrogate("paper", ensemble)(x), y, reduction="sum"), x)
        seen = reference.flatten(1).abs().amax(1) > 1e-30
        assert seen.sum() > BATCH / 3
        assert relative(ours[seen].double(), reference[seen]) < 2e-5


class Channel(nn.Module):
    def __init__(self, index: int) -> None:
        super().__init__()
        self.index = index

    def forward(self, images: Tensor) -> Tensor:
        return images[:, self.index].flatten(1)


def test_finite_differences_of_the_loss() -> None:
    """The surrogate's own cross-entropy is the mean loss; its gradient is that of central differences."""
    ensemble = EnsembleModule(networks(1.0), [True, False, False], "average")
    y = labels("any", ensemble)

    def mean_loss(x: Tensor) -> Tensor:
        return torch.stack([loss(member(x), y) for member in ensemble.members]).mean(0)

    module = surrogate("paper", ensemble)
    assert torch.allclose(F.cross_entropy(module(IMAGES), y, reduction="none"), mean_loss(IMAGES), rtol=1e-12)
    x = IMAGES.clone().requires_grad_()
    (ours,) = torch.autograd.grad(F.cross_entropy(module(x), y, reduction="sum"), x)
    for row, column in ((0, 0), (1, 2), (2, 3)):
        step = torch.zeros_like(IMAGES)
        step[..., row, column] = 1e-5
        difference = (mean_loss(IMAGES + step) - mean_loss(IMAGES - step)) / 2e-5
        assert torch.allclose(ours[:, 0, row, column], difference, rtol=1e-6, atol=1e-8)
