"""PGD and Carlini-Wagner on an ensemble, beside the same attacks called straight from foolbox and torchattacks.

The three attack the same module: the mean probability of a full-precision MNISTconv and two of 2-bit weights and 4-bit
activations, as empir evaluates it. One line more says what that evaluation is worth: foolbox on the same members as
they were trained, one after another. Weights are random, which costs what trained ones do.

torchattacks pins old versions of other packages and is therefore no extra: `pip install --no-deps torchattacks`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from statistics import median
from time import process_time

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from torch import Tensor, nn

from benchmarks.judge import Judge
from empir.attacks import Attack, attack, run
from empir.attacks.cw import library
from empir.ensemble.module import EnsembleModule
from empir.ensemble.surrogates import surrogate
from empir.networks import build_member
from empir.quantization.layers import freeze
from hwsim.spec.ensemble import Ensemble, Member, NetworkReference
from hwsim.spec.rules import FullPrecision

torchattacks = pytest.importorskip("torchattacks", reason="it is missing: pip install --no-deps torchattacks")

IMAGES, ROUNDS = 8, 9

pytestmark = pytest.mark.benchmark(timer=process_time)

Attacker = Callable[[nn.Module], Callable[[], object]]
Modules = tuple[tuple[nn.Module, "Steps"], tuple[nn.Module, "Steps"]]


class Plain(nn.Module):
    """Mean probability of members called one after another."""

    def __init__(self, members: list[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, images: Tensor) -> Tensor:
        return torch.stack([member(images).softmax(1) for member in self.members]).mean(0).log()


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def modules() -> Modules:
    """The ensemble as empir evaluates it, and as it was before."""
    members = (Member(weights=32, activations=32), Member(weights=2, activations=4, count=2))
    network = NetworkReference(name="mnistconv")
    spec = Ensemble(name="bench", network=network, members=members, quantize=FullPrecision(full_precision=("fc",)))
    parts = [freeze(build_member(spec, member, seed)) for seed, member in enumerate(spec.expanded())]
    ensemble = EnsembleModule(parts, [spec.is_full_precision(member) for member in spec.expanded()], "average")
    plain = Plain(parts).eval()
    ours = surrogate("mean_probability", ensemble)
    return (ours, Steps(ensemble.members[0])), (plain, Steps(plain.members[0]))


@pytest.fixture(scope="module")
def sample(modules: Modules) -> tuple[Tensor, Tensor]:
    """Images and the answers to them."""
    images = torch.rand(IMAGES, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        return images, modules[0][0](images).argmax(1)


class Steps:
    """Counts the gradients that are taken of a module's first member, since attacks may stop early."""

    def __init__(self, member: nn.Module) -> None:
        self.taken = 0
        member.register_forward_pre_hook(self._count)

    def _count(self, module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        self.taken += inputs[0].requires_grad


def rate(call: Callable[[], object], steps: Steps, full: int) -> float:
    """Images attacked per second of this process, at so many steps an image [1/s]; called again if it stops early."""
    steps.taken, begin = 0, process_time()
    while steps.taken < full:
        call()
    return IMAGES * steps.taken / full / (process_time() - begin)


def compare(
    benchmark: BenchmarkFixture,
    judge: Judge,
    what: str,
    modules: Modules,
    full: int,
    ours: Attacker,
    theirs: Mapping[str, Attacker],
) -> None:
    """Measure ours, and theirs between our rounds, so that whatever else the machine does slows all of them down."""
    (module, steps), (plain, plain_steps) = modules
    others = {name: (make(module), steps) for name, make in theirs.items()}
    before = "foolbox on members as trained"
    others[before] = theirs["foolbox"](plain), plain_steps
    rates: dict[str, list[float]] = {name: [] for name in ("empir", *others)}
    own = ours(module)

    def between() -> None:
        for name, (call, counted) in others.items():
            rates[name].append(rate(call, counted, full))

    between()
    benchmark.pedantic(
        lambda: rates["empir"].append(rate(own, steps, full)), setup=between, rounds=ROUNDS, warmup_rounds=1
    )
    usual = {name: median(measured[1:]) for name, measured in rates.items()}
    judge.benchmark.extra_info |= usual
    for goal in (max(theirs, key=lambda name: usual[name]), before):
        judge(what, usual["empir"], "images/s", at_least=round(usual[goal], 2), note=f"goal: {goal}")


def empirs(made: Attack, images: Tensor, labels: Tensor) -> Attacker:
    return lambda module: lambda: run(made, module, images, labels, seed=0)


def test_pgd(benchmark: BenchmarkFixture, judge: Judge, modules: Modules, sample: tuple[Tensor, Tensor]) -> None:
    foolbox, (images, labels) = library(), sample
    made = attack("pgd", "mnist5k")

    def foolboxs(module: nn.Module) -> Callable[[], object]:
        theirs = foolbox.attacks.LinfPGD(abs_stepsize=0.01, steps=40)
        wrapped = foolbox.PyTorchModel(module, bounds=(0, 1), device="cpu")
        return lambda: theirs(wrapped, images, labels, epsilons=0.3)

    def torchattackss(module: nn.Module) -> Callable[[], object]:
        theirs = torchattacks.PGD(module, eps=0.3, alpha=0.01, steps=40)
        return lambda: theirs(images, labels)

    theirs = {"foolbox": foolboxs, "torchattacks": torchattackss}
    compare(benchmark, judge, "PGD-40", modules, 40, empirs(made, images, labels), theirs)


def test_cw(benchmark: BenchmarkFixture, judge: Judge, modules: Modules, sample: tuple[Tensor, Tensor]) -> None:
    """torchattacks stops where its loss rises, so that all are compared by the gradients they took."""
    foolbox, (images, labels) = library(), sample
    made = attack("cw", "mnist5k", abort_early=False)

    def foolboxs(module: nn.Module) -> Callable[[], object]:
        theirs = foolbox.attacks.L2CarliniWagnerAttack(1, 50, 0.1, 0, 10, False)
        wrapped = foolbox.PyTorchModel(module, bounds=(0, 1), device="cpu")
        return lambda: theirs(wrapped, images, labels, epsilons=None)

    def torchattackss(module: nn.Module) -> Callable[[], object]:
        theirs = torchattacks.CW(module, c=10, kappa=0, steps=50, lr=0.1)
        return lambda: theirs(images, labels)

    theirs = {"foolbox": foolboxs, "torchattacks": torchattackss}
    compare(benchmark, judge, "CW, 50 iterations", modules, 50, empirs(made, images, labels), theirs)
