"""What a white-box attack differentiates instead of the ensemble's decision: one module for each way to do it.

A surrogate maps images to logits [batch, classes or more]. Entries past the number of classes are slack, never a
decision. With z_k the logits of member k over the temperature, and p_k = softmax z_k, it returns, up to a constant of
each image,

paper             g_c = sum_k m_k log p_k[c], and slack, so that cross-entropy is sum_k m_k L_k and its gradient the
                  mean of the members' loss gradients: over all members for averaging and random_switch, over those
                  that voted for the final class for max voting (Sen et al., ICLR 2020);
released          q = mean of p_k over the same members, handed to the loss as if it were logits, so that a second
                  softmax follows: what the released code's fast gradient and projected gradient attacks follow. Where
                  the members are sure, q hardly moves and its gradient vanishes. One member alone: its logits z, in
                  whose cross-entropy p = 1 rounds the gradient away as it does there;
full_precision    the same as `paper` over the full-precision members (all, where there is none): what the released
                  code's Carlini-Wagner and basic iterative attacks follow;
mean_probability  log mean_k p_k: its cross-entropy is that of the probabilities that averaging returns;
mean_logit        mean_k z_k;
margin            mean_k (y_k[c] - max_{j != c} y_k[j]) / temperature, with y_k the logits in 1/32 of their range;
member:NAME       z_k of one member, by name or by number from 0: a transfer attack.

Where the members are unanimous, the argmax over the classes is the decision. Elsewhere it is so for `paper` under max
voting (every member in the mean prefers the final class), for `mean_probability` under averaging (but for ties), and
for `paper` under averaging of two members with two classes; in general it is not, a geometric mean standing where the
decision has an arithmetic one. `Surrogate.agrees` tells for which images it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import log

import torch
from torch import Tensor, nn

from empir.ensemble.module import EnsembleModule
from hwsim.errors import Fault, SpecError, did_you_mean, shown


class Surrogate(nn.Module):
    """Differentiable logits in place of an ensemble's decision.

    Args:
        ensemble: the ensemble under attack.
        rule: makes one of the members' logits [members, batch, classes], their weights [members, batch or 1, 1] and the
            temperature.
        only: the members that take part.
        voters: whether only those among them that voted for the final class count.
        temperature: divides every member's logits.
    """

    def __init__(
        self, ensemble: EnsembleModule, rule: Rule, only: Sequence[int], voters: bool, temperature: float
    ) -> None:
        super().__init__()
        self.ensemble = ensemble
        self.rule = rule
        self.only = tuple(only)
        self.voters = voters
        self.temperature = temperature
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        """Logits [batch, classes or more] of images in [0, 1]."""
        return self.rule(*self._weighted(images), self.temperature)

    def class_logits(self, images: Tensor) -> Tensor:
        """The logits without slack [batch, classes], for what compares logits."""
        logits, weights = self._weighted(images)
        return self.rule(logits, weights, self.temperature)[:, : logits.shape[-1]]

    def _weighted(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of those that take part [members, batch, classes], and their weights [members, batch or 1, 1]."""
        logits = self.ensemble.logits(images, self.only)
        if self.voters:
            weights = _voters(logits.detach(), self.ensemble.scores(logits.detach(), images))
        else:
            weights = logits.new_full((len(logits), 1, 1), 1 / len(logits))
        return logits, weights

    @torch.no_grad()
    def agrees(self, images: Tensor) -> Tensor:
        """Whether the argmax over the classes is the ensemble's decision [batch]."""
        logits = self.ensemble.logits(images)
        decision = self.ensemble.scores(logits, images).argmax(-1)
        return self.class_logits(images).argmax(-1) == decision


Rule = Callable[[Tensor, Tensor, float], Tensor]

#: Units of `margin` in the range of a member's logits.
_UNITS = 32


def surrogate(name: str, ensemble: EnsembleModule, temperature: float = 1.0) -> Surrogate:
    """The surrogate of a name in SURROGATES, or of one member: `member:w2a4-1`, `member:0`.

    Raises:
        SpecError: no surrogate or member of that name, or a temperature that is not positive.
    """
    if not 0 < temperature < float("inf"):
        raise SpecError([Fault(f"the temperature must be positive, not {shown(temperature)}")])
    everyone = range(len(ensemble.names))
    prefix, _, member = name.partition(":")
    if prefix == "member":
        return Surrogate(ensemble, _mean_logit, (_position(member, ensemble.names),), False, temperature)
    if name not in _RULES:
        known = (*SURROGATES, *(f"member:{own}" for own in ensemble.names))
        raise SpecError([Fault(f"no gradient {shown(name)}{did_you_mean(name, known)}: one of {', '.join(known)}")])
    only = [i for i, full in enumerate(ensemble.full_precision.tolist()) if full] if name == "full_precision" else []
    voters = name in ("paper", "released") and ensemble.combiner == "max_vote"
    return Surrogate(ensemble, _RULES[name], only or everyone, voters, temperature)


def _position(member: str, names: Sequence[str]) -> int:
    if member in names:
        return names.index(member)
    if member.isdecimal() and int(member) < len(names):
        return int(member)
    hint = did_you_mean(member, names)
    raise SpecError([Fault(f"no member {shown(member)}{hint}: one of {', '.join(names)}, or 0 to {len(names) - 1}")])


def _voters(logits: Tensor, scores: Tensor) -> Tensor:
    """Equal weights, of sum 1, for the members whose choice is the argmax of the scores [members, batch, 1]."""
    voted = (logits.softmax(-1).argmax(-1) == scores.argmax(-1)).to(logits.dtype)
    return (voted / voted.sum(0)).unsqueeze(-1)


def _log_softmax(logits: Tensor) -> Tensor:
    """Log-probabilities [..., classes] that stay exact, with their gradient, where one class has all but nothing.

    Relative to the largest logit, whose entry is held constant, so that its gradient is minus the sum of the others'.
    The usual backward pass makes it p - 1, which is rounding noise, or zero, from p = 1 - 1e-8 on in single precision.
    """
    top = logits.argmax(-1, keepdim=True)
    is_top = torch.zeros_like(logits, dtype=torch.bool).scatter_(-1, top, True)
    below = (logits - logits.gather(-1, top)).masked_fill(is_top, 0.0)
    return below - below.exp().masked_fill(is_top, 0.0).sum(-1, keepdim=True).log1p()


def _mean_loss(logits: Tensor, weights: Tensor, temperature: float) -> Tensor:
    """Log of the weighted geometric mean of the probabilities, and slack [batch, 2 classes, or 1 where one member is].

    The entries g_c of the classes need not be a distribution: exp g_c sum to 1 - gap, gap >= 0 by the inequality of the
    means. As many slack entries, log(gap / classes) each, make the softmax of all exp g_c, hence cross-entropy
    -g_c = sum_k m_k L_k. The gradient of the normalising term vanishes only with the slack's.
    """
    mean = (weights * _log_softmax(logits / temperature)).sum(0)
    if len(logits) == 1:
        return mean
    top = mean.detach().argmax(-1, keepdim=True)
    missing = -mean.gather(-1, top).expm1()
    others = mean.exp().scatter(-1, top, 0.0).sum(-1, keepdim=True)
    gap = missing - others
    # Members that agree leave rounding of either sign, or zero: no logarithm, but a gradient that must not be lost.
    limits = torch.finfo(gap.dtype)
    value = gap.detach().maximum(4 * limits.eps * missing.detach()).clamp(min=limits.tiny)
    slack = value.log() + (gap - gap.detach()) / value - log(mean.shape[-1])
    return torch.cat([mean, slack.expand_as(mean)], -1)


def _mean_probability(logits: Tensor, weights: Tensor, temperature: float) -> Tensor:
    return (weights.log() + _log_softmax(logits / temperature)).logsumexp(0)


def _mean_logit(logits: Tensor, weights: Tensor, temperature: float) -> Tensor:
    return _log_softmax((weights * logits).sum(0) / temperature)


def _margin(logits: Tensor, weights: Tensor, temperature: float) -> Tensor:
    """Mean of the members' margins, in 1/32 of the range of each member's logits, which is held constant.

    A low-precision member without scales has logits of hundreds: its softmax is 0 or 1, its cross-entropy's gradient
    underflows, and it drowns the other members in a mean of logits. A positive constant moves no decision boundary;
    this one lets every member count alike, and keeps margins within 32, where no gradient underflows. Coarser units
    spread the gradient over classes that are out of reach: they make PGD weaker.
    """
    low, high = logits.detach().aminmax(dim=-1, keepdim=True)
    unit = (high - low).where(high > low, torch.ones_like(high)) / _UNITS
    first, second = logits.topk(2).values.split(1, -1)
    is_top = torch.zeros_like(logits, dtype=torch.bool).scatter_(-1, logits.argmax(-1, keepdim=True), True)
    margins = (logits - second.where(is_top, first)) / unit
    return _log_softmax((weights * margins).sum(0) / temperature)


def _softmax_twice(logits: Tensor, weights: Tensor, temperature: float) -> Tensor:
    if len(logits) == 1:
        return logits[0] / temperature
    return (weights * (logits / temperature).softmax(-1)).sum(0)


_RULES: dict[str, Rule] = {
    "paper": _mean_loss,
    "released": _softmax_twice,
    "full_precision": _mean_loss,
    "mean_probability": _mean_probability,
    "mean_logit": _mean_logit,
    "margin": _margin,
}

#: Names of the surrogates, beside `member:NAME`.
SURROGATES = tuple(_RULES)
