"""The training loop: epochs that can be taken up where they were left."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from empir.attacks.interface import fenced
from empir.data.dataset import Dataset
from empir.training import checkpoint
from empir.training.recipe import Recipe
from empir.training.start import level_logits
from hwsim.errors import Fault, SpecError

#: Called with how many images a training has seen, and how many it will have seen at its end.
Progress = Callable[[int, int], object]


def fit(
    network: nn.Module,
    recipe: Recipe,
    dataset: Dataset,
    seed: int,
    *,
    teacher: nn.Module | None = None,
    kept: Path,
    needless: Callable[[], bool] = lambda: False,
    progress: Progress = lambda done, total: None,
) -> dict[str, Tensor] | None:
    """Train a network.

    What is random in an epoch depends on the seed and the epoch alone, so no generator's state has to be kept.

    Args:
        network: on the device where it is to be trained.
        dataset: its training split.
        seed: of everything random.
        teacher: what the recipe's defence learns from.
        kept: the file where the state is after every epoch, and from which a training goes on.
        needless: asked before every epoch; the training ends where it is if so.

    Returns:
        State of the network after the last epoch, on the CPU; None if it became needless.

    Raises:
        SpecError: `kept` holds something else.
    """
    device = next(network.parameters()).device
    network = network.to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay)
    half = torch.autocast(device.type, torch.bfloat16, enabled=recipe.mixed_precision and device.type == "cuda")
    images = min(len(dataset), recipe.limit or len(dataset))
    batches = math.ceil(images / recipe.batch_size)
    done = _resumed(kept, network, optimizer)
    if not done:
        with fenced(torch.Generator().manual_seed(derived_seed(seed, "start"))):
            level_logits(network.train(), dataset.images(slice(0, min(images, recipe.batch_size))).to(device))
    for epoch in range(done, recipe.epochs):
        if needless():
            return None
        seen = epoch * images
        progress(seen, recipe.epochs * images)
        generator = torch.Generator().manual_seed(derived_seed(seed, "epoch", epoch))
        order = torch.randperm(images, generator=generator)
        with fenced(generator), torch.backends.cudnn.flags(enabled=True, deterministic=True):
            for step, batch in enumerate(order.tensor_split(batches)):
                x = dataset.images(batch).to(device, memory_format=torch.channels_last)
                y = dataset.labels[batch].to(device)
                with half:
                    loss = recipe.defence.loss(network.train(), x, y, generator, teacher)
                optimizer.zero_grad()
                loss.backward()
                for group in optimizer.param_groups:
                    group["lr"] = learning_rate(recipe, epoch + step / batches)
                optimizer.step()
                seen += len(batch)
                progress(seen, recipe.epochs * images)
        if epoch + 1 < recipe.epochs:
            state = {"epochs": epoch + 1, "network": network.state_dict(), "optimizer": optimizer.state_dict()}
            checkpoint.replace(kept, state)
    return {name: value.cpu().contiguous() for name, value in network.state_dict().items()}


def learning_rate(recipe: Recipe, epoch: float) -> float:
    """The learning rate at a time [epochs]."""
    if recipe.schedule == "constant":
        return recipe.learning_rate
    return recipe.learning_rate * (1 + math.cos(math.pi * epoch / recipe.epochs)) / 2


def derived_seed(*parts: object) -> int:
    """A number from 0 to 2^40 − 1 that depends on all parts."""
    return int(hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:10], 16)


def _resumed(path: Path, network: nn.Module, optimizer: torch.optim.Optimizer) -> int:
    """Bring a training that was cut short back to where it was; the number of epochs behind it."""
    if not path.exists():
        return 0
    try:
        state = checkpoint.load(path)
        network.load_state_dict(state["network"])
        optimizer.load_state_dict(state["optimizer"])
        return int(state["epochs"])
    except (SpecError, AttributeError, KeyError, RuntimeError, TypeError, ValueError):
        raise SpecError([Fault("no training can go on from this: delete it to begin anew", str(path))]) from None
