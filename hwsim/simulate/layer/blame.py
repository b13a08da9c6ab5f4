"""What the datapath waits for."""

from __future__ import annotations

from hwsim.simulate.layer.channel import Channel
from hwsim.simulate.layer.datapath import Datapath
from hwsim.simulate.layer.transport import DOWN, UP, Transport

#: Causes that are no resource.
LAUNCH, FIRST, LAST = "launch", "first tiles", "last results"


def cause(datapath: Datapath, transport: Transport) -> str:
    """Name of the port that is too slow, of the memory that has no room, or of the beginning or end of the layer."""
    block = datapath.block
    if block.ended:
        return LAST
    if not block.unit and not datapath.ending:
        return FIRST
    for channel in datapath.near:
        if not channel.came.index > block.index:
            return _delay(transport, channel, block.index)
    for channel in datapath.near:
        if datapath.ending and channel.fluid and datapath.unfinished(channel):
            return _slower(transport, channel, UP if channel.complete.index > block.index else DOWN)
    machine, now = transport.stage.machine, transport.stage.now
    return next((port.name for port in machine.ports if port.alone and port.free > now), LAST)


def _delay(transport: Transport, channel: Channel, index: list[int]) -> str:
    """Why a tile is not there: it is under way, or whoever is to be asked for before it cannot be."""
    if channel.asked.index > index:
        return _slower(transport, channel, DOWN)
    head = transport.head(transport.room[channel])
    missing = transport.missing(head)
    if missing is head:
        return _slower(transport, head, UP)
    return _delay(transport, missing, head.asked.index) if missing else f"room in {head.space.name}"


def _slower(transport: Transport, channel: Channel, way: int) -> str:
    """The end of a channel that is busy for longer."""
    ends = (channel.source, channel.sink) if way == DOWN else (channel.up_source, channel.up_sink)
    now, vector = transport.stage.now, transport.stage.machine.vector
    return max((port for port in ends if port), key=lambda port: max(now, port.free), default=vector).name
