"""An ensemble on a chip, from its description to what came of playing it."""

from __future__ import annotations

from dataclasses import replace
from functools import cache, partial
from itertools import count, takewhile
from typing import Literal, cast

from hwsim.ensemble.solve import Mapper, Progress
from hwsim.importers import resolve
from hwsim.mapper import EFFORT, Objective, map_layer
from hwsim.simulate.members.arrange import Schedule, Search, arrange
from hwsim.simulate.members.auto import Aim, choose
from hwsim.simulate.members.simulation import Once, Player, Simulation, simulated
from hwsim.spec.ensemble import Ensemble
from hwsim.spec.hardware import Hardware
from hwsim.spec.network import Network


def simulate_ensemble(
    ensemble: Ensemble,
    hardware: Hardware,
    network: Network | None = None,
    *,
    schedule: Schedule | Literal["auto"] = "serial",
    aim: Aim = "latency",
    objective: Objective = "latency",
    effort: float = EFFORT,
    exact: bool = False,
    record: bool = False,
    sizes: bool = False,
    mapper: Mapper = map_layer,
    progress: Progress | None = None,
    player: Player | None = None,
    playing: Progress | None = None,
) -> Simulation:
    """Map an ensemble and play it, event by event; equal layers are played once.

    Args:
        network: the ensemble's own if not given.
        schedule: see `hwsim.simulate.members.arrange`; "auto" plays all of them and takes the best.
        aim: what "auto" looks for.
        objective, effort, mapper, progress: of the mapping, as `map_ensemble` takes them.
        exact: play every tile instead of skipping what repeats itself; the result is the same.
        record: keep what every resource did when.
        sizes: also play rounds of fewer inputs than the batch, 1, 2, 4 and so on, where a round takes a whole batch.
        player: `hwsim.simulate.layer.play.play` with `exact` and `record`, or something in its place.
        playing: called with the number of layers played and their total.

    Raises:
        SpecError: the network cannot be found or lacks layers that the ensemble names.
        Infeasible: a layer has no mapping or no mode, or the schedule does not apply.
    """
    if network is None:
        wanted = ensemble.network
        network = resolve(wanted.name, ensemble.batch, wanted.parameters, wanted.input_shape)
    search = Search(objective, effort, cast("Mapper", cache(mapper)), progress)  # schedules ask for the same layers
    if player is None:
        from hwsim.simulate.layer.play import play  # not above: it imports SimPy

        player = partial(play, exact=exact, record=record)
    once = Once(player, playing)

    def run(schedule: Schedule, batch: int = ensemble.batch) -> Simulation:
        asked = ensemble.model_copy(update={"batch": batch})
        arrangement = arrange(schedule, asked, hardware, network, search)
        once.expect(arrangement.layers)
        return simulated(arrangement, once)

    if schedule == "auto":
        choice = choose(aim, ensemble.batch, len(ensemble.expanded()), run)
        best = replace(choice.best.simulation, choice=choice)
    else:
        best = run(schedule)
    if sizes and not best.arrangement.drawn:
        smaller = takewhile(lambda size: size < best.inputs, (2**power for power in count()))
        rounds = (run(best.arrangement.schedule, size).rounds for size in smaller)
        return replace(best, smaller=tuple(one for several in rounds for one in several))
    return best
