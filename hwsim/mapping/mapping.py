"""One point of a mapspace: the temporal and spatial loops of every level, printable as a loop nest."""

from __future__ import annotations

from dataclasses import dataclass

from hwsim.operators.nest import Operand


@dataclass(frozen=True)
class Loop:
    """A temporal loop: `for dim in range(bound)`."""

    dim: str
    bound: int


@dataclass(frozen=True)
class SpatialLoop:
    """A loop unrolled over the instances of one axis of a fan-out: `parallel-for dim in range(bound) on axis`."""

    dim: str
    bound: int
    axis: str


@dataclass(frozen=True)
class LevelMapping:
    """Loops of one level.

    Args:
        level: name of the level in the hardware file.
        temporal: loops that run at this level, outermost first. They step through tiles of the next level.
        spatial: loops over the instances below this level, inside the temporal ones; several may share an axis.
        bypass: operands that this mapping does not keep here although the hardware could.
    """

    level: str
    temporal: tuple[Loop, ...] = ()
    spatial: tuple[SpatialLoop, ...] = ()
    bypass: tuple[Operand, ...] = ()


@dataclass(frozen=True)
class Mapping:
    """Loops of every level, outermost level first.

    The bounds of a dimension multiply to at least its size. Inner loops fix the tile sizes: the tile of a dimension
    at a level is the product of the bounds inside, and where the bounds overshoot only the last tile is short.
    """

    levels: tuple[LevelMapping, ...]

    def __str__(self) -> str:
        """The mapping as a loop nest, one loop a line."""
        lines: list[str] = []
        depth = 0
        for level in self.levels:
            bypass = f" (bypasses {', '.join(level.bypass)})" if level.bypass else ""
            lines.append(f"{'  ' * depth}[{level.level}]{bypass}")
            for loop in level.temporal:
                lines.append(f"{'  ' * depth}for {loop.dim.lower()} in 0..{loop.bound - 1}")
                depth += 1
            for spatial in level.spatial:
                lines.append(
                    f"{'  ' * depth}parallel {spatial.dim.lower()} in 0..{spatial.bound - 1} on {spatial.axis}"
                )
                depth += 1
        lines.append(f"{'  ' * depth}multiply-accumulate")
        return "\n".join(lines)

    def compact(self) -> str:
        """The mapping on one line: `DRAM: K4 C2 | GLB: P7 / X=K16 Y=C16`."""
        parts = []
        for level in self.levels:
            text = " ".join(f"{loop.dim}{loop.bound}" for loop in level.temporal)
            if level.spatial:
                text += " / " + " ".join(f"{loop.axis}={loop.dim}{loop.bound}" for loop in level.spatial)
            parts.append(f"{level.level}: {text}".rstrip())
        return " | ".join(parts)
