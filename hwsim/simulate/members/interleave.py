"""The order in which interleaved members take turns: layer 1 of every member, then layer 2, and so on.

Members whose layer runs in one mode stand side by side. Which mode comes first and which last at every layer is chosen
so that the mode changes as rarely as possible in a round that repeats: a layer with m modes costs m - 1 changes inside
it, and one more where its first mode is not the last one of the layer before. The choice of all layers together is a
shortest path through (layer, last mode), closed to a cycle; where several are as short, a round begins with the first
member's mode.
"""

from __future__ import annotations

from collections.abc import Sequence

from hwsim.ensemble.plan import Turn


def interleaved(modes: Sequence[Sequence[str]]) -> tuple[Turn, ...]:
    """Turns of all members at every layer, with the fewest mode changes that layer by layer allows.

    Args:
        modes: for every member the mode of each of its layers; empty where a layer multiplies nothing.

    Returns:
        (member, layer) in order of execution.
    """
    members, layers = range(len(modes)), range(len(modes[0]))
    working = [layer for layer in layers if any(modes[member][layer] for member in members)]
    found = [list(dict.fromkeys(own[layer] for own in modes if own[layer])) for layer in working]
    ends = dict(zip(working, _ends(found), strict=True))
    turns: list[Turn] = []
    order = list(members)
    for layer in layers:
        if layer in ends:
            order.sort(key=lambda member: _rank(modes[member][layer], *ends[layer]))
        turns += [(member, layer) for member in order]
    return tuple(turns)


def _rank(mode: str, first: str, last: str) -> tuple[int, str]:
    """Where a mode stands among those of a layer; members without one go with the first."""
    return (0, "") if mode in ("", first) else (2, "") if mode == last else (1, mode)


def _ends(found: Sequence[Sequence[str]]) -> list[tuple[str, str]]:
    """First and last mode at every layer, so that fewest layers begin in another mode than the one before ended in.

    Args:
        found: modes at each layer.
    """
    best: tuple[int, list[tuple[str, str]]] | None = None
    for start in found[0] if found else ():  # the mode that the first layer begins with closes the cycle
        paths: dict[str, tuple[int, list[tuple[str, str]]]] = {}
        for last in _lasts(found[0], start):
            paths[last] = (0, [(start, last)])
        for modes in found[1:]:
            grown: dict[str, tuple[int, list[tuple[str, str]]]] = {}
            for before, (cost, path) in paths.items():
                for first in modes:
                    for last in _lasts(modes, first):
                        total = cost + (first != before)
                        if last not in grown or total < grown[last][0]:
                            grown[last] = (total, [*path, (first, last)])
            paths = grown
        for last, (cost, path) in paths.items():
            total = cost + (last != start)
            if best is None or total < best[0]:
                best = (total, path)
    return best[1] if best else []


def _lasts(modes: Sequence[str], first: str) -> list[str]:
    """Modes that a layer may end in once it began with one of them."""
    return [mode for mode in modes if mode != first] or [first]
