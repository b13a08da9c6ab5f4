"""Each defence's loss and its gradient against a calculation of their own: NumPy, closed forms, finite differences."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from empir.quantization.layers import quantize
from empir.training.defences import Defence
from empir.training.defences.distillation import Distillation
from empir.training.defences.fgsm_adversarial import FGSMAdversarial
from empir.training.defences.input_gradient import InputGradient
from empir.training.defences.pgd_adversarial import PGDAdversarial
from empir.training.defences.plain import Plain

Array = np.ndarray
BATCH, PIXELS, CLASSES = 5, 6, 4
RANDOM = np.random.RandomState(3)
WEIGHTS = RANDOM.normal(size=(CLASSES, PIXELS))
IMAGES = RANDOM.uniform(0.05, 0.95, (BATCH, PIXELS))
LABELS = np.array([3, 0, 1, 1, 2])


class Smooth(nn.Module):
    """logits = B tanh(A x), in double precision."""

    def __init__(self, first: Array, second: Array) -> None:
        super().__init__()
        self.first, self.second = (nn.Parameter(torch.from_numpy(array.copy())) for array in (first, second))

    def forward(self, images: Tensor) -> Tensor:
        return torch.tanh(images.flatten(1) @ self.first.T) @ self.second.T


class Linear(nn.Module):
    """logits = A x."""

    def __init__(self, weights: Array) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.from_numpy(weights).float())

    def forward(self, images: Tensor) -> Tensor:
        return images.flatten(1) @ self.weights.T


def softmax(logits: Array) -> Array:
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


def cross_entropy(target: Array, logits: Array) -> float:
    """Mean over the batch; the target is a distribution [batch, classes]."""
    return float(-(target * np.log(softmax(logits))).sum(1).mean())


def one_hot(labels: Array) -> Array:
    return np.eye(CLASSES)[labels]


def loss(defence: Defence, model: nn.Module, images: Array = IMAGES, teacher: nn.Module | None = None) -> Tensor:
    pixels = torch.from_numpy(images).float().reshape(len(images), 1, 2, -1)
    return defence.loss(model, pixels, torch.from_numpy(LABELS), torch.Generator().manual_seed(0), teacher)


def slopes(function: Callable[[Array], float], at: Array, step: float = 1e-6) -> Array:
    """Central differences."""
    found = np.empty_like(at)
    for index in np.ndindex(at.shape):
        change = np.zeros_like(at)
        change[index] = step
        found[index] = (function(at + change) - function(at - change)) / (2 * step)
    return found


def test_plain_is_cross_entropy() -> None:
    logits = IMAGES @ WEIGHTS.T
    assert loss(Plain(), Linear(WEIGHTS)).item() == pytest.approx(cross_entropy(one_hot(LABELS), logits), rel=1e-6)
    at_five = loss(Plain(temperature=5), Linear(WEIGHTS)).item()
    assert at_five == pytest.approx(cross_entropy(one_hot(LABELS), logits / 5), rel=1e-6)


@pytest.mark.parametrize(("temperature", "hard", "soft"), [(100, 0.5, 0.5), (10, 0.3, 0.7), (2, 0.0, 1.0)])
def test_distillation(temperature: float, hard: float, soft: float) -> None:
    taught = 30 * RANDOM.normal(size=WEIGHTS.shape)
    target = softmax(IMAGES @ taught.T / temperature)
    logits = IMAGES @ WEIGHTS.T
    expected = hard * cross_entropy(one_hot(LABELS), logits) + soft * cross_entropy(target, logits / temperature)
    made = Distillation(temperature=temperature, hard=hard, soft=soft)
    assert loss(made, Linear(WEIGHTS), teacher=Linear(taught)).item() == pytest.approx(expected, rel=1e-5)
    own = made.teacher()
    assert isinstance(own, Plain)
    assert own.temperature == temperature


def test_the_teacher_does_not_learn() -> None:
    guide = Linear(WEIGHTS[::-1].copy())
    loss(Distillation(), Linear(WEIGHTS), teacher=guide).backward()
    assert guide.weights.grad is None


def penalised(weights: Array, images: Array, strength: float) -> float:
    """Cross-entropy of a linear model and the penalty, image by image: its gradient is Aᵀ(p − y)."""
    logits = images @ weights.T
    gradients = (softmax(logits) - one_hot(LABELS)) @ weights
    return cross_entropy(one_hot(LABELS), logits) + strength / 256 * float((gradients**2).sum(1).mean())


def test_input_gradient_in_closed_form() -> None:
    made = InputGradient(strength=100)
    assert loss(made, Linear(WEIGHTS)).item() == pytest.approx(penalised(WEIGHTS, IMAGES, 100), rel=1e-5)


def test_input_gradient_is_that_of_the_authors_code_in_batches_of_128() -> None:
    """Half of the summed squares of the gradient of the batch's mean loss."""
    pixels = np.concatenate([IMAGES] * 26)[:128]
    labels = torch.from_numpy(np.concatenate([LABELS] * 26)[:128])
    gradient = (softmax(pixels @ WEIGHTS.T) - one_hot(labels.numpy())) @ WEIGHTS / 128
    images = torch.from_numpy(pixels).float().reshape(128, 1, 2, -1)
    with_penalty, without = (
        made.loss(Linear(WEIGHTS), images, labels, torch.Generator(), None).item()
        for made in (InputGradient(strength=100), Plain())
    )
    assert with_penalty - without == pytest.approx(100 * (gradient**2).sum() / 2, rel=1e-4)


def test_double_backpropagation_against_finite_differences() -> None:
    """Both gradients numerically, in double precision: of the loss by the input, and of the sum by every parameter."""
    first, second = RANDOM.normal(size=(3, PIXELS)), RANDOM.normal(size=(CLASSES, 3))
    images = torch.from_numpy(IMAGES).float().double().numpy()

    def mean_loss(pixels: Array, first: Array, second: Array) -> float:
        return cross_entropy(one_hot(LABELS), np.tanh(pixels @ first.T) @ second.T)

    def total(first: Array, second: Array) -> float:
        gradient = BATCH * slopes(lambda pixels: mean_loss(pixels, first, second), images, 1e-5)
        return mean_loss(images, first, second) + 500 / 256 * float((gradient**2).sum(1).mean())

    model = Smooth(first, second)
    pixels = torch.from_numpy(images).reshape(BATCH, 1, 2, -1)
    made = InputGradient(strength=500).loss(model, pixels, torch.from_numpy(LABELS), torch.Generator(), None)
    assert made.item() == pytest.approx(total(first, second), rel=1e-6)
    made.backward()
    for parameter, numeric in (
        (model.first, slopes(lambda array: total(array, second), first, 1e-4)),
        (model.second, slopes(lambda array: total(first, array), second, 1e-4)),
    ):
        assert parameter.grad is not None
        np.testing.assert_allclose(parameter.grad.numpy(), numeric, rtol=2e-4, atol=1e-5)


def test_double_backpropagation_through_quantised_layers() -> None:
    """Straight-through: rounding is the identity for both gradients, as if weights and inputs were levels already.

    The layer multiplies levels, so the loss's gradient is that of a linear model with the quantised weights at the
    rounded pixels, and passes to the pixels unchanged. What comes back to a quantised weight reaches the latent one
    through 2 (tanh w / 2 max + 1/2) − 1 = tanh w / max |tanh w|.
    """
    layer = nn.Linear(PIXELS, CLASSES, bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(WEIGHTS))
    model = quantize(nn.Sequential(nn.Flatten(), layer), 2, 4, "all", torch.zeros(1, 1, 2, PIXELS // 2))
    strength = 500.0
    loss(InputGradient(strength=strength), model).backward()

    latent = layer.parametrizations.weight.original
    squashed = np.tanh(latent.detach().numpy().astype(float))
    place = np.unravel_index(np.abs(squashed).argmax(), squashed.shape)
    largest = abs(squashed[place])
    levels = 2 * np.round(3 * (squashed / (2 * largest) + 0.5)) / 3 - 1
    pixels = np.round(15 * IMAGES) / 15
    upstream = slopes(lambda weights: penalised(weights, pixels, strength), levels)
    through = upstream / largest
    through[place] -= np.sign(squashed[place]) * (upstream * squashed).sum() / largest**2  # the maximum's own share
    expected = through * (1 - squashed**2)
    assert latent.grad is not None
    np.testing.assert_allclose(latent.grad.numpy(), expected, rtol=2e-3, atol=2e-5)


def away(weights: Array, images: Array, epsilon: float) -> Array:
    """One step away from the answer, image by image: the gradient is Aᵀ(p − one-hot(answer))."""
    found = []
    for image in images:
        logits = weights @ image
        wrong = softmax(logits[None])[0]
        wrong[logits.argmax()] -= 1
        found.append(np.clip(image + epsilon * np.sign(weights.T @ wrong), 0, 1))
    return np.array(found)


def halves(weights: Array, attacked: Array) -> float:
    """The mean of the clean loss and the attacked one, both with the true labels."""
    return sum(cross_entropy(one_hot(LABELS), images @ weights.T) for images in (IMAGES, attacked)) / 2


def test_fgsm_adversarial_training() -> None:
    answers = (IMAGES @ WEIGHTS.T).argmax(1)
    assert len(set(answers)) > 1
    assert (answers != LABELS).any(), "otherwise answers and labels lead the same way"
    made = FGSMAdversarial(epsilon=0.2)
    pixels = torch.from_numpy(IMAGES).float().reshape(BATCH, 1, 2, -1)
    attacked = made.attacked(Linear(WEIGHTS), pixels, torch.Generator())
    expected = away(WEIGHTS, IMAGES, 0.2)
    np.testing.assert_allclose(attacked.reshape(BATCH, -1).numpy(), expected, atol=1e-6)
    assert loss(made, Linear(WEIGHTS)).item() == pytest.approx(halves(WEIGHTS, expected), rel=1e-5)


def test_the_attack_is_no_part_of_the_gradient() -> None:
    """The attacked images are data: the gradient by the weights is that of the two halves."""
    model, attacked = Linear(WEIGHTS), away(WEIGHTS, IMAGES, 0.2)
    loss(FGSMAdversarial(epsilon=0.2), model).backward()
    assert model.weights.grad is not None
    numeric = slopes(lambda weights: halves(weights, attacked), WEIGHTS)
    np.testing.assert_allclose(model.weights.grad.numpy(), numeric, rtol=1e-3, atol=1e-5)


def test_pgd_adversarial_training() -> None:
    """With two classes the gradient's sign is the same everywhere: from any start the steps end in that corner."""
    weights = np.zeros_like(WEIGHTS)
    weights[:2] = WEIGHTS[:2]
    weights[2:] = -10  # never the answer, and without any probability
    images = torch.from_numpy(IMAGES).float().reshape(BATCH, 1, 2, -1)
    made = PGDAdversarial(epsilon=0.2, step=0.05, iterations=8)
    first = made.attacked(Linear(weights), images, torch.Generator().manual_seed(0))
    np.testing.assert_allclose(first.reshape(BATCH, -1).numpy(), away(weights, IMAGES, 0.2), atol=1e-6)


def test_pgd_starts_at_random() -> None:
    images = torch.from_numpy(IMAGES).float().reshape(BATCH, 1, 2, -1)
    made = PGDAdversarial(epsilon=0.2, step=0.01, iterations=1)
    runs = [made.attacked(Linear(WEIGHTS), images, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)]
    assert torch.equal(runs[0], runs[1])
    assert not torch.equal(runs[0], runs[2])
    assert all(bool(((run - images).abs() <= 0.2 + 1e-6).all()) for run in runs)


def test_adversarial_training_attacks_in_evaluation_mode() -> None:
    """Dropout and the statistics of a normalisation have no part in the attack, and are not changed by it."""
    torch_model = nn.Sequential(nn.BatchNorm2d(1), nn.Dropout(0.9), Linear(WEIGHTS)).train()
    images = torch.from_numpy(IMAGES).float().reshape(BATCH, 1, 2, -1)
    before = {name: value.clone() for name, value in torch_model.state_dict().items()}
    attacked = FGSMAdversarial(epsilon=0.2).attacked(torch_model, images, torch.Generator())
    np.testing.assert_allclose(attacked.reshape(BATCH, -1).numpy(), away(WEIGHTS, IMAGES, 0.2), atol=1e-6)
    assert all(torch.equal(value, before[name]) for name, value in torch_model.state_dict().items())
    assert all(part.training for part in torch_model.modules())
