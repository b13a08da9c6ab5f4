"""Is a robustness real? Attacks that adapt to the ensemble, sample by sample until it falls, and what to make of it.

All attacks are bounded by one epsilon in L-infinity. First the plain ones, FGSM, BIM and PGD through the paper's
gradient, make the claim. Then, cheapest first and each on the samples that all before have left standing:

* a sweep of short PGD over surrogates and temperatures: members of few bits have logits of hundreds, whose softmax
  saturates and whose cross-entropy has no gradient in single precision until a temperature brings them down;
* transfer from every member;
* PGD with restarts on every surrogate at the temperature that was best in the sweep;
* Square, which sees no gradient, on the best surrogate's scores and on the ensemble's own;
* AutoAttack on the best surrogate.

Success is always judged by the ensemble's own decision. Where it draws a member for every inference, each sample counts
with the share of members that are right, the expectation over the draws; the surrogates' gradients, means over the
members, are then the expectation over transformation of Athalye et al. (2018).
"""

from __future__ import annotations

from empir.evaluation import adaptive, gates
from empir.evaluation.accounting import accuracy, interval
from empir.evaluation.adaptive import Plan, Swept
from empir.evaluation.answers import Worst
from empir.evaluation.campaign import Campaign, Stage
from empir.evaluation.gates import Gate
from empir.evaluation.inspection import inspect
from empir.evaluation.measure import Progress, Silent, adaptive_measurement, answer_clean
from empir.evaluation.target import Target
from empir.evaluation.verdict import Verdict, verdict
from hwsim.errors import HwsimError
from hwsim.spec.measurement import Measurement
from hwsim.value import Value

#: Samples that stand are too few to choose a temperature by; then those that are right when clean choose it.
FEW = 20


class Verification(Value):
    """What `verify` found. Accuracies but the clean one are worst cases over a set of attacks."""

    epsilon: float
    samples: int
    clean_accuracy: float
    clean_interval: tuple[float, float]
    plain_accuracy: float
    plain_interval: tuple[float, float]
    adaptive_accuracy: float
    adaptive_interval: tuple[float, float]
    stages: tuple[Stage, ...]
    """In the order in which they ran."""
    swept_samples: int
    """On which the sweep compares."""
    sweep: tuple[Swept, ...]
    """Best first."""
    gates: tuple[Gate, ...]
    verdict: Verdict
    measurement: Measurement


def verify(target: Target, plan: Plan | None = None, *, progress: Progress | None = None) -> Verification:
    """Attack an ensemble by everything there is, and judge what is left.

    Raises:
        HwsimError: it answers no image right even when clean.
    """
    plan, tell = plan or Plan(), progress or Silent()
    attacks = adaptive.plain(target.dataset.name, plan.epsilon)
    epsilon = attacks[0].epsilon
    assert epsilon is not None
    clean = Worst.clean(target.labels, answer_clean(target, tell), target.drawn)
    if not len(right := clean.standing):
        raise HwsimError(f"{target.spec.name}: no image is answered right even when clean: there is nothing to verify")
    campaign = Campaign(target, tell, clean)
    adaptive.claim(campaign, attacks)
    claimed = campaign.worst
    chosen = (claimed.standing if len(claimed.standing) >= FEW else right)[: plan.samples]
    swept = adaptive.sweep(campaign, plan, epsilon, chosen)
    adaptive.white_box(campaign, plan, epsilon, swept)
    white = campaign.worst
    adaptive.square(campaign, plan, epsilon, swept)
    black = campaign.worst
    adaptive.autoattack(campaign, plan, epsilon, swept)
    worst = campaign.worst
    checks = (
        *inspect(target, clean, right[: plan.samples], epsilon, swept, tell),
        gates.black_box(white.chances, black.chances),
    )
    return Verification(
        epsilon=epsilon,
        samples=len(clean.labels),
        clean_accuracy=accuracy(clean.chances),
        clean_interval=interval(clean.chances),
        plain_accuracy=accuracy(claimed.chances),
        plain_interval=interval(claimed.chances),
        adaptive_accuracy=accuracy(worst.chances),
        adaptive_interval=interval(worst.chances),
        stages=tuple(campaign.stages),
        swept_samples=len(chosen),
        sweep=swept,
        gates=checks,
        verdict=verdict(clean.labels, claimed.chances, worst.chances, checks, target.drawn),
        measurement=adaptive_measurement(target, clean, worst, epsilon, campaign.questions),
    )
