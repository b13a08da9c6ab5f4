"""A mapped layer in play: datapath and tiles, moved on by events until all results are out."""

from __future__ import annotations

from hwsim.cost.access import accesses
from hwsim.cost.capacity import at_home
from hwsim.cost.layer import LayerCost, loops_of
from hwsim.cost.streamed import VECTOR
from hwsim.cost.traffic import NestArrays, flows
from hwsim.operators.nest import DIMENSIONS, Operand
from hwsim.simulate.layer.blame import LAUNCH, cause
from hwsim.simulate.layer.datapath import Datapath, Traffic, skewed
from hwsim.simulate.layer.machine import Machine
from hwsim.simulate.layer.played import Played
from hwsim.simulate.layer.stage import Stage
from hwsim.simulate.layer.steady import Steady
from hwsim.simulate.layer.ticks import exact as exactly
from hwsim.simulate.layer.transport import RANKS, Transport
from hwsim.simulate.layer.visits import program


class Player:
    """One layer, to be played once.

    Args:
        cost: with problem and mapping.
        exact, record, bounded: as `hwsim.simulate.layer.play.play` takes them.
    """

    def __init__(self, cost: LayerCost, exact: bool, record: bool, bounded: bool) -> None:
        assert cost.problem is not None
        assert cost.mapping is not None
        self.cost, self.problem, self.mapping = cost, cost.problem, cost.mapping
        sizes = dict(zip(DIMENSIONS, cost.problem.nest.sizes, strict=True))
        self.nest = NestArrays.of(loops_of(cost.problem, cost.mapping), dict(sizes))
        vector = exactly(cost.busy.get(VECTOR, 0.0))
        self.machine = Machine(cost.problem, bounded, [vector, skewed(cost.problem, self.nest)])
        self.stage = Stage(self.machine, record)
        self.program = program(cost.problem, cost.mapping)
        kinds = tuple(kind.tolist() for kind in self.program.kinds)
        between = sum(link.child is not None for link in self.program.links)
        state = self.stage, self.problem, self.nest, self.program, kinds
        self.datapath = Datapath(*state, RANKS * between)
        self.vector = self.machine.ticks.of(vector)
        self.transport = Transport(*state, self.datapath, self.vector)
        self.steady = None if exact else Steady(self.stage, self.program, kinds, self.datapath, self.transport)
        self.moved: Traffic = {}
        for operand in self.problem.resident:
            home = self.problem.home(operand)
            space = self.machine.spaces[home, self.problem.memory(home, operand).name]
            space.take(at_home(self.problem, operand))

    def run(self) -> Played:
        """Play the layer to its end."""
        self._parameters()
        self._settle()
        while self.stage.due:
            self.stage.step()
            self._settle()
        if not (self.datapath.block.ended and all(channel.gone.ended for channel in self.transport.channels)):
            raise RuntimeError(f"stuck at {self.datapath.block.index} of {self.program.loops}")
        if self.transport.top is None and self.vector:
            self.stage.occupy(self.machine.vector, 0, self.vector, "results")
        end = max(self.stage.now, *(port.free for port in (*self.machine.ports, self.machine.vector)))
        self.datapath.stall(self.datapath.cause, end - self.stage.now)
        return self._played(end)

    def _settle(self) -> None:
        """Begin whatever can begin now."""
        datapath, transport = self.datapath, self.transport
        datapath.wait()
        transport.go_on()
        while datapath.go_on():
            if datapath.running:
                transport.began()
            else:
                transport.used()
            transport.go_on()
        if not datapath.running and self.stage.now >= datapath.marked:
            datapath.cause = cause(datapath, transport)
        loops = len(self.program.loops)
        if datapath.boundary < loops:
            boundary, datapath.boundary = datapath.boundary, loops
            if self.steady and boundary >= 0:
                self.steady.at(boundary)

    def _parameters(self) -> None:
        """Biases and norm parameters pass first, and once."""
        bypass = tuple(level.bypass for level in self.mapping.levels)
        bare = {(a.level, a.operand): a for a in accesses(self.problem, flows(self.problem, self.nest, bypass))}
        for access in self.cost.traffic:
            known = bare.get((access.level, access.operand))
            read = round(float(access.read_bits) - float(known.read_bits if known else 0))
            written = round(float(access.write_bits) - float(known.write_bits if known else 0))
            self._count(access.level, access.operand, read, written)
            place = access.level, access.memory
            for ports, bits in ((self.machine.reads, read), (self.machine.writes, written)):
                if bits and place in ports:
                    self.stage.occupy(ports[place], 0, bits * ports[place].per_bit, "parameters")

    def _count(self, level: int, operand: Operand, read: int, written: int) -> None:
        if read or written:
            sums = self.moved.setdefault((level, operand), [0, 0])
            sums[0] += read
            sums[1] += written

    def _played(self, ticks: int) -> Played:
        time, launch = self.machine.ticks.cycles, self.stage.launch
        for channel in self.transport.channels:
            down_read, down_written, up_read, up_written = channel.moved
            assert channel.link.child is not None
            self._count(channel.link.parent, channel.link.operand, down_read, up_written)
            self._count(channel.link.child, channel.link.operand, up_read, down_written)
        for (level, operand), (read, written) in self.datapath.moved.items():
            self._count(level, operand, read, written)
        array = self.machine.array
        servers = (array, self.machine.vector, *self.machine.ports)
        stalls = {reason: time(waited) for reason, waited in self.datapath.stalls.items() if waited}
        return Played(
            cycles=time(ticks) + launch,
            busy={port.name: time(port.busy) for port in servers if port.busy or port is array},
            stalls={LAUNCH: launch, **stalls} if launch else stalls,
            moved={
                (self.problem.levels[level].name, self.problem.memory(level, operand).name, str(operand)): (
                    read,
                    written,
                )
                for (level, operand), (read, written) in sorted(self.moved.items())
            },
            peak={space.name: space.peak for space in self.machine.spaces.values()},
            tiles=self.program.blocks,
            events=self.stage.events,
            skipped=self.steady.skipped if self.steady else 0,
            slices=tuple(self.stage.slices),
        )
