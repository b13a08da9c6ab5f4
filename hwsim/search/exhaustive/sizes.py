"""How large ensembles may be: the stored bits of every multiset of members."""

from __future__ import annotations

from collections.abc import Sequence

from hwsim.search.design.ensembles import Choices


def sizes_with(choices: Choices, stored: Sequence[int]) -> list[tuple[int, ...]]:
    """Sizes of all ensembles that have a member of each precision, ascending [bits]; one full-precision network, which
    everything is compared with, is among the ensembles.

    Args:
        stored: parameters of one member at every precision, full precision last [bits].
    """
    *low, full = stored
    sums = [{0}]  # of so many low-precision members
    for _ in range(max(choices.low_precision, default=0)):
        sums.append({size + own for size in sums[-1] for own in set(low)})
    beside = {
        several * full + size for several, number in choices.sizes if number for size in sums[number - 1]
    }  # what lies beside one low-precision member
    whole = {several * full + size for several, number in choices.sizes if several for size in sums[number]}
    return [*(tuple(sorted(own + size for size in beside)) for own in low), tuple(sorted(whole | {full}))]
