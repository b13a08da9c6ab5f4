"""Options of a stream of requests, and of traces: how they are read, checked and carried out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from hwsim.cli.options import fraction

if TYPE_CHECKING:
    from hwsim.simulate.members.simulation import Simulation
    from hwsim.simulate.stream.requests import Arrivals
    from hwsim.simulate.stream.stream import Stream
    from hwsim.spec.ensemble import Ensemble

Function = TypeVar("Function", bound=Callable[..., Any])

#: Length of a stream at a rate, if none is given [s].
DURATION = 1.0

#: Ends of a text that is a rate; what else may stand for arrivals is the path of a file.
_RATE = "/s"


@dataclass(frozen=True)
class Wanted:
    """What the options of a stream ask for.

    Args:
        arrivals: none if there is no stream to be played.
        duration: of the stream; none for all of a file [s]. warmup: its beginning that figures leave out [s].
        agreement: of two members, where votes may end early.
        trace: file to be written.
    """

    arrivals: Arrivals | None
    duration: float | None
    warmup: float
    seed: int
    agreement: float | None
    trace: Path | None


def seconds(text: str) -> float:
    """Read `1s` or `20 ms`."""
    from hwsim.units import TIME, parse

    try:
        return parse(text, TIME)
    except ValueError as error:
        raise click.BadParameter(f"{error}.") from None


def agreement(text: str) -> float:
    """Read a probability as `0.9` or `90%`."""
    share = fraction(text)
    if share > 1:
        raise click.BadParameter(f"{text!r} is more than 100 %.")
    return share


def stream_options(function: Function) -> Function:
    """Which requests arrive; `wanted` reads these options together."""
    for option in (
        click.option(
            "--trace", type=click.Path(path_type=Path), metavar="FILE",
            help="Write what ran when as a .json file for Perfetto or chrome://tracing.",
        ),
        click.option(
            "--early-exit", "agreement", metavar="AGREEMENT", type=agreement,
            help="End a max_vote as soon as the members left cannot change it. Needs the probability that two members "
            "give the same class, as 0.9 or 90%: it depends on the data, and under attack on the attack.",
        ),
        click.option(
            "--seed", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True,
            help="Of random arrivals and votes.",
        ),
        click.option("--warm-up", "warmup", metavar="TIME", type=seconds, help="Beginning that figures leave out."),
        click.option(
            "--duration", metavar="TIME", type=seconds,
            help="Length of the stream, as 500ms; 1s unless requests come from a file, which is played to its end.",
        ),
        click.option(
            "--arrivals", metavar="RATE|FILE",
            help="Play a stream of requests, first come first served: 2000/s evenly spaced, poisson:2000/s, or the "
            "path of a file with one time a line [s], or a column named time.",
        ),
    ):  # fmt: skip
        function = option(function)
    return function


def wanted(
    arrivals: str | None,
    duration: float | None,
    warmup: float | None,
    seed: int,
    agreement: float | None,
    trace: Path | None,
) -> Wanted:
    """Check the options of a stream, and read its file.

    Raises:
        click.UsageError: options that do not fit together.
        SpecError: a file that cannot be read or written, or is not one of arrivals.
    """
    if trace:
        from hwsim.report.trace import check_trace

        check_trace(trace)
    if arrivals is None:
        given = {"--duration": duration, "--warm-up": warmup, "--early-exit": agreement}
        for option, value in given.items():
            if value is not None:
                raise click.UsageError(f"{option} is about a stream of requests: add --arrivals.")
        return Wanted(None, None, 0.0, seed, None, trace)
    found = _arrivals(arrivals)
    if duration is None and _is_rate(arrivals):
        duration = DURATION
    if duration is not None and not duration:
        raise click.UsageError("--duration must be more than 0 s.")
    if duration is not None and warmup and warmup >= duration:
        raise click.UsageError("--warm-up must be shorter than the stream.")
    return Wanted(found, duration, warmup or 0.0, seed, agreement, trace)


def check_exit(wanted: Wanted, ensemble: Ensemble) -> None:
    """Refuse an early exit where no vote is taken, before anything is mapped.

    Raises:
        click.UsageError: another combiner.
    """
    if wanted.agreement is not None and ensemble.combiner != "max_vote":
        why = {"average": "an average needs every member's answer", "random_switch": "one member answers alone"}
        raise click.UsageError(f"--early-exit needs the combiner max_vote: {why[ensemble.combiner]}.")


def play(wanted: Wanted, simulation: Simulation, progress: Callable[[int, int], None] | None = None) -> Stream | None:
    """Play the stream that was asked for; None if there was none.

    Args:
        progress: called with the number of requests served and their total.
    """
    if wanted.arrivals is None:
        return None
    from hwsim.simulate.stream.stream import play_stream

    arrangement = simulation.arrangement
    return play_stream(
        wanted.arrivals,
        (*simulation.smaller, *simulation.rounds),
        arrangement.cost.hardware.clock,
        duration=wanted.duration,
        warmup=wanted.warmup,
        seed=wanted.seed,
        draw=arrangement.drawn,
        agreement=wanted.agreement,
        classes=_classes(arrangement.cost.ensemble) if wanted.agreement is not None else 0,
        progress=progress,
    )


def write(wanted: Wanted, simulation: Simulation, stream: Stream | None) -> None:
    """Write the trace that was asked for; says on stderr what it had no room for."""
    if wanted.trace is None:
        return
    from hwsim.report.trace import write_trace
    from hwsim.simulate.trace import trace_rounds, trace_stream

    chip = simulation.arrangement.cost.hardware
    trace = trace_stream(stream, chip.name) if stream else trace_rounds(simulation.rounds, chip.name, chip.clock)
    for cut in write_trace(wanted.trace, trace):
        click.echo(f"{wanted.trace}: left out {cut}", err=True)


def _arrivals(text: str) -> Arrivals:
    from hwsim.simulate.stream.requests import Constant, Poisson, read_arrivals

    kind, colon, rate = text.rpartition(":")
    if not _is_rate(text):
        if text.replace(".", "", 1).isdecimal() and not Path(text).exists():
            raise click.UsageError(f"--arrivals {text}: missing unit: write {text}/s.")
        return read_arrivals(text)
    if kind not in ("", "constant", "poisson") or (colon and not kind):
        raise click.UsageError(f"--arrivals {text}: {kind!r} is no kind of arrivals: write 2000/s or poisson:2000/s.")
    return (Poisson if kind == "poisson" else Constant)(_rate(rate))


def _is_rate(text: str) -> bool:
    return text.strip().endswith(_RATE)


def _rate(text: str) -> float:
    """Read `2000/s` or `2 k/s` [1/s]."""
    from hwsim.units import FREQUENCY, parse

    amount = text.strip().removesuffix(_RATE)
    try:
        rate = parse(f"{amount}Hz", FREQUENCY)
    except ValueError:
        rate = 0.0
    if not rate:
        raise click.UsageError(f"--arrivals {text}: {amount!r} is not a number above 0: write e.g. 2000/s or 2k/s.")
    return rate


def _classes(ensemble: Ensemble) -> int:
    """Classes that a vote chooses from."""
    from hwsim.importers import resolve

    wanted = ensemble.network
    network = resolve(wanted.name, ensemble.batch, wanted.parameters, wanted.input_shape)
    return network.output_elements // network.batch
