"""An ensemble as one torch module: images in, scores out, whose argmax is the decision."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from empir.ensemble.arranged import arrange
from empir.ensemble.combine import average_scores, draw, max_vote_scores, switched_scores
from empir.ensemble.stacked import Stacked, stackable

Combiner = Literal["average", "max_vote", "random_switch"]


class EnsembleModule(nn.Module):
    """Members, and how their answers are combined.

    Args:
        members: frozen networks in eval mode, images [batch, channels, height, width] in [0, 1] to logits
            [batch, classes]; copied.
        full_precision: whether each member is in full precision.
        combiner: average, max_vote or random_switch.
        seed: of the draws of random_switch.
        names: one for each member; numbers from 0 where left out.
        stacked: whether the members run as one (see stacked.py) or one after another; where left out, as one on a GPU
            if they can, one after another on a CPU.
    """

    def __init__(
        self,
        members: Sequence[nn.Module],
        full_precision: Sequence[bool],
        combiner: Combiner,
        seed: int = 0,
        names: Sequence[str] = (),
        stacked: bool | None = None,
    ) -> None:
        super().__init__()
        if not len(members) == len(full_precision) == len(names or members) or not members:
            raise ValueError("an ensemble needs at least one member, and a precision and a name for each")
        if combiner not in get_args(Combiner):
            raise ValueError(f"no combiner {combiner!r}: one of {', '.join(get_args(Combiner))}")
        on_gpu = any(parameter.is_cuda for member in members for parameter in member.parameters())
        possible = (on_gpu if stacked is None else stacked) and stackable(members)
        if stacked and not possible:
            raise ValueError("members that differ in more than their weights and bits cannot be stacked")
        self.members = nn.ModuleList(members if on_gpu else [arrange(member) for member in members])
        self.stacked = Stacked(members) if possible else None
        self.register_buffer("full_precision", torch.tensor(full_precision), persistent=False)
        self.combiner = combiner
        self.seed = seed
        self.names = tuple(names) or tuple(str(i) for i in range(len(members)))
        self.eval()

    def logits(self, images: Tensor, only: Sequence[int] | None = None) -> Tensor:
        """Logits of all members, or of some in the order asked for [members, batch, classes]."""
        chosen = tuple(range(len(self.members)) if only is None else only)
        if self.stacked is not None and len(chosen) == len(self.members):
            logits = self.stacked(images)
            return logits if chosen == tuple(range(len(logits))) else logits[list(chosen)]
        return torch.stack([self.members[i](images) for i in chosen])

    def forward(self, images: Tensor) -> Tensor:
        """Scores [batch, classes]; differentiable but under max voting, where they are piecewise constant."""
        return self.scores(self.logits(images), images)

    def scores(self, logits: Tensor, images: Tensor) -> Tensor:
        """Scores [batch, classes] from all members' logits; random_switch draws by the images that gave them."""
        probabilities = logits.softmax(-1)
        if self.combiner == "random_switch":
            return switched_scores(probabilities, draw(images, len(logits), self.seed))
        rule = average_scores if self.combiner == "average" else max_vote_scores
        return rule(probabilities, self.full_precision)

    @torch.no_grad()
    def decide(self, images: Tensor) -> Tensor:
        """The ensemble's class of each image [batch]."""
        return self.forward(images).argmax(-1)

    @torch.no_grad()
    def member_decisions(self, images: Tensor) -> Tensor:
        """Every member's class of each image [members, batch]."""
        return self.logits(images).softmax(-1).argmax(-1)
