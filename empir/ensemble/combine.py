"""How the members' answers become one: averaging, max voting, and one member drawn per inference.

Every rule returns scores [batch, classes] whose argmax is the decision. Several classes can share the first place: two
saturated members that disagree average to exactly 1/2 each, and three members can cast three votes. Of those classes
the one wins that the full-precision members find most probable in the mean (all members, where none is in full
precision); if they cannot tell either, the first. With one full-precision member and three different votes this is that
member's choice.
"""

from __future__ import annotations

import torch
from torch import Tensor


def average_scores(probabilities: Tensor, full_precision: Tensor) -> Tensor:
    """Mean of the members' probabilities.

    Args:
        probabilities: of each class [members, batch, classes].
        full_precision: whether a member is in full precision [members].
    """
    return _settled(probabilities.mean(0), probabilities, full_precision)


def max_vote_scores(probabilities: Tensor, full_precision: Tensor) -> Tensor:
    """Share of the members that choose each class; arguments as for averaging. Piecewise constant: no gradient."""
    votes = torch.zeros_like(probabilities, requires_grad=False)
    votes.scatter_(-1, probabilities.argmax(-1, keepdim=True), 1.0)
    return _settled(votes.mean(0), probabilities, full_precision)


def switched_scores(probabilities: Tensor, drawn: Tensor) -> Tensor:
    """Probabilities of the member that was drawn for each input.

    Args:
        probabilities: of each class [members, batch, classes].
        drawn: a member each [batch].
    """
    return probabilities[drawn, torch.arange(len(drawn), device=drawn.device)]


def draw(images: Tensor, members: int, seed: int) -> Tensor:
    """The member that answers each image [batch], uniform over the members.

    A hash of the pixels: how a set is cut into batches, and in which order it comes, changes nothing, and every changed
    pixel draws anew, as every inference of the real defence does. Only an image asked twice gets the same answer twice.
    An attacker may therefore look for an image with a lucky draw; judge what it found under another seed.

    The hash is sum_i a_i x_i + a_0 modulo 2^64, with x_i the bits of a pixel and a_i drawn from the seed: two images
    collide with a probability of at most 2^-32. The finaliser of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014) makes of
    it draws that are unrelated even where all images are changed alike. Sums of integers do not depend on their order,
    so every device draws alike.
    """
    # Adding zero makes -0.0, which equals 0.0, draw like it.
    pixels = (images.detach().flatten(1).float() + 0.0).view(torch.int32).long()
    generator = torch.Generator().manual_seed(seed)
    bounds = torch.iinfo(torch.int64)
    factors = torch.randint(bounds.min, bounds.max, (pixels.shape[1] + 1,), generator=generator).to(pixels.device)
    mixed = (pixels * factors[1:]).sum(1) + factors[0]
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ _shifted(mixed, shift)) * (factor - 2**64)
    return _shifted(mixed ^ _shifted(mixed, 31), 32) * members >> 32


def _shifted(x: Tensor, bits: int) -> Tensor:
    """To the right as if unsigned."""
    return x >> bits & (1 << 64 - bits) - 1


def _settled(scores: Tensor, probabilities: Tensor, full_precision: Tensor) -> Tensor:
    """Scores in which no two classes share the first place: its winner is raised by one unit in the last place."""
    best = scores.detach().amax(-1, keepdim=True)
    leads = scores == best
    judges = probabilities[full_precision] if full_precision.any() else probabilities
    winner = judges.detach().mean(0).masked_fill(~leads, -1.0).argmax(-1, keepdim=True)
    step = torch.nextafter(best, torch.full_like(best, torch.inf)) - best
    step = step.where(leads.sum(-1, keepdim=True) > 1, torch.zeros_like(step))
    return scores + torch.zeros_like(best.expand_as(scores)).scatter(-1, winner, step)
