"""What every operator tells the cost model about itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field

from hwsim.operators.nest import LoopNest


@dataclass(frozen=True)
class Parameters:
    """Stored values of an operator [elements], apart because each kind has a precision of its own.

    Args:
        weights: the stationary operand of a loop nest, or a lookup table.
        biases: added to the accumulator, at full precision.
        norms: scales and shifts of a normalisation, at full precision.
    """

    weights: int = 0
    biases: int = 0
    norms: int = 0

    @property
    def total(self) -> int:
        """All of them [elements]."""
        return self.weights + self.biases + self.norms

    def __add__(self, other: Parameters) -> Parameters:
        return Parameters(self.weights + other.weights, self.biases + other.biases, self.norms + other.norms)


@dataclass(frozen=True)
class Operator(ABC):
    """One node of a network.

    Fields of the operators count a single sample; `batch` samples are computed at once and share the parameters.

    A vector operation is one addition, multiplication, comparison or elementary function (exp, erf, tanh, square root)
    of one element. Biases cost none: they are where the accumulator starts.

    Raises:
        ValueError: a size below 1, or sizes that do not fit together.
    """

    batch: int = field(default=1, kw_only=True)

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            least = 0 if name in ("constants", "padding") else 1
            for number in value if isinstance(value, tuple) else (value,):
                if isinstance(number, int) and not isinstance(number, bool) and number < least:
                    raise ValueError(f"{type(self).__name__}: {name} must be at least {least}, not {number}")

    @property
    def fuses(self) -> bool:
        """May run on the outputs of its producer before they are written, so that it causes no traffic."""
        return False

    @property
    def view(self) -> bool:
        """Only renames elements: costs neither traffic nor operations and owns no storage."""
        return False

    @property
    @abstractmethod
    def label(self) -> str:
        """The operator's name in tables."""

    @property
    @abstractmethod
    def shape(self) -> str:
        """Sizes in a few characters, for tables."""

    @property
    @abstractmethod
    def inputs(self) -> tuple[int, ...]:
        """Size of every activation operand, padding not counted [elements]."""

    @property
    @abstractmethod
    def output_elements(self) -> int:
        """Size of the result [elements]."""

    @property
    def input_elements(self) -> int:
        """Size of all activation operands together [elements]."""
        return sum(self.inputs)

    @property
    def operations(self) -> int:
        """Vector operations, none for what the multiply-accumulate datapath does."""
        return 0

    @property
    def parameters(self) -> Parameters:
        """Stored values."""
        return Parameters()

    @property
    def parameters_read(self) -> int:
        """Stored values that one execution touches [elements]."""
        return self.parameters.total

    def nest(self) -> LoopNest | None:
        """The loop nest, None for operators that run on the vector unit."""
        return None
