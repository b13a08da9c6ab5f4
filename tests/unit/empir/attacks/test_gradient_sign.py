"""FGSM, BIM and PGD against the best attack on a line, foolbox, and the law of their random starts."""

from __future__ import annotations

import pytest
import torch
from scipy.stats import kstest
from torch import Tensor, nn

from empir.attacks import attack, decisions, run
from empir.attacks.cw import library
from empir.attacks.interface import loss_gradient
from tests.unit.empir.attacks.toys import Line, Pair, Rolled, line, network, task, trained


def corner(model: Line, images: Tensor, labels: Tensor, epsilon: float) -> Tensor:
    """The image in the box and the ball that is farthest on the other side: no attack does better."""
    away = torch.where(labels == 1, -1, 1).view(-1, 1, 1, 1) * model.weights.sign().view(1, 1, 4, 4)
    return (images + epsilon * away).clamp(0, 1)


@pytest.mark.parametrize(
    ("name", "changes"),
    [("fgsm", {}), ("bim", {"iterations": 31}), ("pgd", {"iterations": 61}), ("pgd", {"iterations": 7, "step": 0.1})],
)
@pytest.mark.parametrize("epsilon", [0.1, 0.3])
def test_best_possible_on_a_line(name: str, changes: dict[str, float], epsilon: float) -> None:
    model, images, labels = line(0)
    images[:, 0, 0, :2] = torch.tensor([0.0, 1.0])
    found = run(attack(name, "mnist5k", epsilon=epsilon, **changes), model, images, labels, seed=0)
    torch.testing.assert_close(found, corner(model, images, labels, epsilon), atol=1e-6, rtol=0)


@pytest.mark.parametrize("name", ["fgsm", "bim"])
def test_same_as_foolbox(name: str) -> None:
    model, (images, labels) = trained(), task(30, 1)
    foolbox = library()
    theirs = {
        "fgsm": foolbox.attacks.LinfFastGradientAttack(),
        "bim": foolbox.attacks.LinfBasicIterativeAttack(abs_stepsize=0.01, steps=40),
    }[name]
    expected = theirs(foolbox.PyTorchModel(model, bounds=(0, 1), device="cpu"), images, labels, epsilons=0.1)[1]
    found = run(attack(name, "cifar10"), model, images, labels, seed=0)
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)


def test_follows_the_whole_cross_entropy_of_a_surrogate() -> None:
    """Slack logits belong to it: they make its gradient the mean of the members' gradients."""
    first, second, (images, labels) = network(1, width=4), Rolled(trained()), task(20, 2)
    expected = torch.zeros_like(images)
    for member in (first, second):
        given = images.clone().requires_grad_()
        nn.functional.cross_entropy(member(given), labels, reduction="sum").backward()
        expected += given.grad / 2
    step = run(attack("fgsm", "mnist5k", epsilon=0.001), Pair(first, second), images, labels, seed=0) - images
    clear = (expected.abs() > 1e-5) & (images > 0.001) & (images < 0.999)
    assert float(clear.float().mean()) > 0.9
    assert torch.equal(step.sign()[clear], expected.sign()[clear])


def test_starts_are_uniform_in_the_ball() -> None:
    images, labels = torch.full((100, 1, 10, 10), 0.5), torch.zeros(100, dtype=torch.int64)
    still = attack("pgd", "cifar10", iterations=1, step=1e-6)
    change = run(still, network(0), images, labels, seed=0) - images
    assert kstest(change.flatten().double().numpy(), "uniform", args=(-0.1, 0.2)).pvalue > 0.01
    at_edge = run(still, network(0), torch.zeros_like(images), labels, seed=0)
    assert float((at_edge < 1e-5).float().mean()) == pytest.approx(0.5, abs=0.05)  # clipped


class Coin(nn.Module):
    """Right where the first value is below one half, whichever way the slope goes."""

    def forward(self, images: Tensor) -> Tensor:
        first = images[:, 0, 0, 0]
        return torch.stack([0.5 - first.detach() + 0 * first, torch.zeros_like(first)], 1)


def test_restarts_keep_what_succeeded_for_each_image() -> None:
    images, labels = torch.full((400, 1, 10, 10), 0.5), torch.zeros(400, dtype=torch.int64)
    one, four = (
        run(attack("pgd", "mnist5k", iterations=1, restarts=n), Coin(), images, labels, seed=0, batch_size=400)
        for n in (1, 4)
    )
    fooled = decisions(Coin(), one) == 1
    assert int(fooled.sum()) == pytest.approx(200, abs=4 * 10)  # a standard deviation is 10
    assert torch.equal(four[fooled], one[fooled])
    assert int((decisions(Coin(), four) == 1).sum()) == pytest.approx(375, abs=4 * 5)


def test_restarts_go_by_the_decision_not_the_surrogate() -> None:
    """The surrogate is fooled by nothing; the decision by half of all starts."""
    model, images = trained(), torch.full((400, 1, 10, 10), 0.5)
    labels = torch.full((400,), int(decisions(model, images[:1])))

    def decide(images: Tensor) -> Tensor:
        return torch.where(images[:, 0, 0, 0] > 0.5, (labels[0] + 1) % 5, labels[0])

    pgd = attack("pgd", "mnist5k", epsilon=1e-3, iterations=1, step=1e-9, restarts=4)
    found = run(pgd, model, images, labels, seed=0, decide=decide, batch_size=400)
    assert bool((decisions(model, found) == labels).all())
    assert int((decide(found) != labels).sum()) == pytest.approx(375, abs=4 * 5)


def test_a_gradient_that_is_no_number_is_none() -> None:
    """The other pixels still move."""

    class Root(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            first = images[:, 0, 0, 0]
            height = images.flatten(1).sum(1) - 8 + 0 * (first - first.detach()).sqrt()
            return torch.stack([torch.zeros_like(height), height], 1)

    images, labels = torch.full((3, 1, 4, 4), 0.55), torch.ones(3, dtype=torch.int64)
    gradient = loss_gradient(Root(), images, labels)
    assert bool((gradient[:, 0, 0, 0] == 0).all())
    assert bool((gradient[:, 0, 1:] < 0).all())
    change = run(attack("bim", "mnist5k"), Root(), images, labels, seed=0) - images
    torch.testing.assert_close(change[:, 0, 1:], torch.full((3, 3, 4), -0.3))
