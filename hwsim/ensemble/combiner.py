"""The work of turning the members' answers into one, on the vector unit.

Operations for each sample, n results (classes) from each of M members:

    average   M (5n - 2)   a softmax for each member, unless its network ends with one
            + M n          their mean: (M - 1) n additions, n multiplications
    max_vote  M (n - 1)    the class that each member chooses
            + M            its vote
            + n - 1        the class with most votes

The members' results are read from the outermost memory, where each member left them in full precision; n means or one
class are written there. A single member needs no combiner, nor does one that is drawn to answer alone (random_switch).
"""

from __future__ import annotations

from hwsim.cost.layer import LayerCost
from hwsim.cost.streamed import Stream, streamed
from hwsim.operators import Softmax
from hwsim.spec.ensemble import Combiner
from hwsim.spec.hardware import Hardware
from hwsim.spec.network import Network


def operations(kind: Combiner, members: int, results: int, ends_with_softmax: bool) -> int:
    """Vector operations for one sample."""
    if kind == "random_switch":
        return 0
    if kind == "max_vote":
        return members * results + results - 1
    softmax = 0 if ends_with_softmax else Softmax(1, results).operations
    return members * (softmax + results)


def combine(kind: Combiner, members: int, network: Network, hardware: Hardware, bits: int) -> LayerCost | None:
    """Cost for one batch; None where there is nothing to combine.

    Args:
        members: how many answers there are.
        network: what each member runs.
        bits: width of the results [bits].
    """
    if members < 2 or kind == "random_switch":
        return None
    batch, results = network.batch, network.output_elements // network.batch
    cost = streamed(
        hardware,
        batch * operations(kind, members, results, _ends_with_softmax(network)),
        [Stream(members * batch * results, bits)],
        Stream(batch * (1 if kind == "max_vote" else results), bits),
    )
    return cost.named("combiner", kind.replace("_", " "), f"{members}*{batch}x{results}")


def _ends_with_softmax(network: Network) -> bool:
    read = {source for layer in network.layers for source in layer.inputs}
    return all(isinstance(layer.operator, Softmax) for layer in network.layers if layer.name not in read)
