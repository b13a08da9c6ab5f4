"""What each surrogate returns, against NumPy; names; where the argmax is the decision."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from empir.ensemble.module import Combiner, EnsembleModule
from empir.ensemble.surrogates import SURROGATES, surrogate
from hwsim.errors import SpecError

Array = NDArray[np.float64]


class Member(nn.Module):
    """Reads its logits off the image: channel `index`."""

    def __init__(self, index: int) -> None:
        super().__init__()
        self.index = index
        self.runs = 0

    def forward(self, images: Tensor) -> Tensor:
        self.runs += 1
        return images[:, self.index].flatten(1)


def ensemble(members: int = 3, combiner: Combiner = "average", full: tuple[int, ...] = (0,)) -> EnsembleModule:
    precision = [i in full for i in range(members)]
    return EnsembleModule([Member(i) for i in range(members)], precision, combiner, 0, ("fp1", "w2a4-1", "7")[:members])


def logits(batch: int = 50, members: int = 3, classes: int = 4, scale: float = 3.0) -> Tensor:
    """As images [batch, members, 1, classes]."""
    generator = torch.Generator().manual_seed(0)
    return torch.randn(batch, members, 1, classes, generator=generator, dtype=torch.float64) * scale


def log_softmax(z: Array) -> Array:
    return z - z.max(-1, keepdims=True) - np.log(np.exp(z - z.max(-1, keepdims=True)).sum(-1, keepdims=True))


def expected(name: str, z: Array, temperature: float) -> Array:
    """Log-probabilities that cross-entropy sees [batch, classes] of logits [batch, members, classes]."""
    if name == "margin":
        best = np.array([[[max(m[:c] + m[c + 1 :]) for c in range(len(m))] for m in row] for row in z.tolist()])
        return log_softmax(((z - best) / np.ptp(z, axis=-1, keepdims=True)).mean(1) * 32 / temperature)
    z = z / temperature
    return {
        "paper": lambda: log_softmax(z).mean(1),
        "released": lambda: log_softmax(np.exp(log_softmax(z)).mean(1)),
        "full_precision": lambda: log_softmax(z)[:, 0],
        "mean_probability": lambda: np.log(np.exp(log_softmax(z)).mean(1)),
        "mean_logit": lambda: log_softmax(z.mean(1)),
        "member:w2a4-1": lambda: log_softmax(z)[:, 1],
        "member:1": lambda: log_softmax(z)[:, 1],
        "member:7": lambda: log_softmax(z)[:, 2],
    }[name]()


@pytest.mark.parametrize("temperature", [0.25, 1.0, 10.0])
@pytest.mark.parametrize("name", [*SURROGATES, "member:w2a4-1", "member:1", "member:7"])
def test_values(name: str, temperature: float) -> None:
    z = logits()
    ours = surrogate(name, ensemble(), temperature)(z).log_softmax(-1)[:, :4]
    assert ours.numpy() == pytest.approx(expected(name, z.squeeze(2).numpy(), temperature), rel=1e-9, abs=1e-12)


def test_full_precision_is_the_mean_of_the_losses_of_several_or_of_all() -> None:
    z = logits()
    each = log_softmax(z.squeeze(2).numpy())
    for full, members in (((0, 2), (0, 2)), ((), (0, 1, 2))):
        ours = surrogate("full_precision", ensemble(full=full))(z).log_softmax(-1)[:, :4]
        assert ours.numpy() == pytest.approx(each[:, list(members)].mean(1), rel=1e-9)


def test_slack_keeps_its_digits_in_single_precision() -> None:
    """Members that are all but sure miss 1e-9 of the mass: 1 - sum exp g would be zero."""
    z = torch.tensor([[[[25.0, 0.0, 0.0]], [[20.0, 3.0, 0.0]]]])
    g = log_softmax(z.double().squeeze(2).numpy()).mean(1)
    slack = np.log((-np.expm1(g[0, 0]) - np.exp(g[0, 1:]).sum()) / 3)
    ours = surrogate("paper", ensemble(members=2))(z)[0, 3:]
    assert ours.numpy() == pytest.approx(np.full(3, slack), rel=1e-6)


def test_only_the_members_that_count_run() -> None:
    for name, runs in (("full_precision", [1, 0, 0]), ("member:7", [0, 0, 1]), ("mean_logit", [1, 1, 1])):
        module = ensemble()
        surrogate(name, module)(logits())
        assert [member.runs for member in module.members] == runs


@pytest.mark.parametrize("combiner", ["average", "max_vote", "random_switch"])
@pytest.mark.parametrize("name", [*SURROGATES, "member:0"])
def test_the_argmax_is_the_decision_where_members_are_unanimous(name: str, combiner: Combiner) -> None:
    z = logits(400)
    votes = z.squeeze(2).argmax(-1)
    unanimous = (votes == votes[:, :1]).all(1)
    assert 10 < unanimous.sum() < 390
    agrees = surrogate(name, ensemble(combiner=combiner)).agrees(z)
    assert agrees[unanimous].all()


@pytest.mark.parametrize("scale", [0.1, 3.0, 300.0])
def test_the_argmax_is_the_decision_always_where_it_is_said_to_be(scale: float) -> None:
    z = logits(400, scale=scale)
    assert surrogate("paper", ensemble(combiner="max_vote")).agrees(z).all()
    assert surrogate("mean_probability", ensemble()).agrees(z if scale < 300 else z[:0]).all()
    pairs = logits(400, members=2, classes=2, scale=min(scale, 3))
    assert surrogate("paper", ensemble(members=2)).agrees(pairs).all()


def test_released_counts_the_voters_alone() -> None:
    """Two votes for class 0 against one: the loss of softmax((p_0 + p_1) / 2), as the released code builds it."""
    z = torch.tensor([[2.0, 0.0, 1.0], [3.0, 1.0, 0.0], [0.0, 9.0, 0.0]], dtype=torch.float64)[None, :, None]
    q = np.exp(log_softmax(z[0, :2, 0].numpy())).mean(0)
    assert surrogate("released", ensemble(combiner="max_vote"))(z)[0].numpy() == pytest.approx(q, rel=1e-12)


def test_released_has_no_gradient_where_members_are_sure() -> None:
    """Logits 200 apart: exact arithmetic has a gradient of the order of exp(-200), single precision none."""
    sure = 200 * F.one_hot(torch.tensor([1, 2]), 4).float()[:, None, None].expand(-1, 3, 1, -1).clone()
    for members, name, vanishes in ((3, "released", True), (3, "margin", False), (1, "released", True)):
        images = sure.clone().requires_grad_()
        F.cross_entropy(surrogate(name, ensemble(members))(images), torch.tensor([1, 2])).backward()
        assert (images.grad == 0).all().item() is vanishes


def test_released_takes_the_logits_of_one_member_alone() -> None:
    z = logits()
    assert torch.equal(surrogate("released", ensemble(1))(z), z[:, 0, 0])


def test_a_geometric_mean_can_prefer_another_class() -> None:
    """p = (0.9, 0.1 - t, t) and (t, 0.5, 0.5 - t): the mean prefers the first class, the product the second."""
    t = 1e-4
    p = torch.tensor([[0.9, 0.1 - t, t], [t, 0.5, 0.5 - t]], dtype=torch.float64)
    module = surrogate("paper", ensemble(members=2))
    assert not module.agrees(p.log()[None, :, None]).item()
    assert module(p.log()[None, :, None])[0, :3].argmax().item() == 1


def test_margins_have_a_gradient_where_softmax_is_saturated() -> None:
    """Two members, logits of hundreds, both right; by hand: z = (600, 100, 0) has the margins 500, -500, -600."""
    z = torch.tensor([[[[600.0, 100.0, 0.0]], [[0.2, 0.1, 0.0]]]]).requires_grad_()
    label = torch.tensor([0])
    module = ensemble(members=2)
    (lost,) = torch.autograd.grad(F.cross_entropy(surrogate("paper", module)(z), label), z)
    assert not lost[0, 0].any()
    margins = surrogate("margin", module, 32)(z)
    expected = np.array([5 / 6 + 1 / 2, -5 / 6 - 1 / 2, -2.0]) / 2
    assert margins[0].detach().numpy() == pytest.approx(log_softmax(expected), rel=1e-5)
    # The same step over each member's range: neither drowns the other.
    for temperature, least in ((32, 0.05), (1, 1e-19)):
        (kept,) = torch.autograd.grad(F.cross_entropy(surrogate("margin", module, temperature)(z), label), z)
        assert (kept[0, 0] * 600)[0].numpy() == pytest.approx((kept[0, 1] * 0.2)[0].numpy(), rel=1e-5)
        assert (kept[0, 0, 0, :2] * 600).abs().min() > least


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", [*SURROGATES, "member:0"])
@pytest.mark.parametrize("combiner", ["average", "max_vote", "random_switch"])
def test_nothing_is_ever_infinite(name: str, combiner: Combiner, dtype: torch.dtype) -> None:
    """Logits of up to 10,000, members that agree to the last bit, ties within and between members."""
    rows = [[1e4, -1e4, 0.0, 5.0], [-1e4, 1e4, 1e4, 0.0], [0.0] * 4, [1e4] * 4, [30.0, 0.0, 0.0, 0.0], [1e-30, 0, 0, 0]]
    z = torch.tensor(
        [[[rows[i]], [rows[j]], [rows[k]]] for i, j, k in np.ndindex(6, 6, 6)], dtype=dtype
    ).requires_grad_()
    for temperature in (0.01, 1.0, 100.0):
        output = surrogate(name, ensemble(combiner=combiner), temperature)(z)
        for label in range(4):
            losses = F.cross_entropy(output, torch.full((len(z),), label), reduction="sum")
            (gradient,) = torch.autograd.grad(losses, z, retain_graph=True)
            assert gradient.isfinite().all()
        assert output.isfinite().all()


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("papper", "did you mean paper"),
        ("mean_logits", "did you mean mean_logit"),
        ("member:3", "or 0 to 2"),
        ("member:w2a4-2", "did you mean w2a4-1"),
        ("member", "no member"),
        ("", "one of paper,"),
    ],
)
def test_unknown_names(name: str, hint: str) -> None:
    with pytest.raises(SpecError, match=hint):
        surrogate(name, ensemble())


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("inf"), float("nan")])
def test_temperatures_that_are_none(temperature: float) -> None:
    with pytest.raises(SpecError, match="temperature"):
        surrogate("paper", ensemble(), temperature)
