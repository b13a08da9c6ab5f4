"""An ensemble as a user writes it: one network at several precisions, and how the answers are combined."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import chain
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, GetJsonSchemaHandler, model_validator

from hwsim.spec.consistency import Consistent, Finding, records, repeated_names
from hwsim.spec.rules import Rule
from hwsim.value import Value

#: Widths that a member may have [bits].
WIDTHS = (*range(1, 9), 16, 32)

Name = Annotated[str, Field(min_length=1)]


def _supported(bits: int) -> int:
    if bits not in WIDTHS:
        raise ValueError(f"must be 1 to 8, 16 or 32 bits, not {bits}")
    return bits


Width = Annotated[int, AfterValidator(_supported), Field(json_schema_extra={"enum": list(WIDTHS)})]
Size = Annotated[int, Field(ge=1, le=2**31 - 1)]


class NetworkReference(Value):
    """Which network, with the parameters that make it: `{name: bert_base, sequence_length: 128}`, or just a name."""

    name: Name
    """A network of the zoo, a path to an .onnx file, or package.module:function returning a torch.nn.Module."""
    input_shape: tuple[Size, ...] | None = None
    """Of one sample, without the batch."""
    parameters: dict[str, bool | int | float | str] = Field(default_factory=dict)
    """What the network's constructor takes; in a file they stand beside the name."""

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, given: Any) -> Any:
        if isinstance(given, str):
            return {"name": given}
        if not isinstance(given, dict):
            return given
        own = {key: value for key, value in given.items() if key in cls.model_fields}
        rest = {key: value for key, value in given.items() if key not in cls.model_fields}
        if rest and isinstance(own.setdefault("parameters", {}), dict):
            own["parameters"] = {**own["parameters"], **rest}
        return own

    @classmethod
    def __get_pydantic_json_schema__(cls, core: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        full = handler.resolve_ref_schema(handler(core))
        parameter = {"type": ["boolean", "integer", "number", "string"]}
        return {"anyOf": [{"type": "string", "minLength": 1}, {**full, "additionalProperties": parameter}]}


class Member(Value):
    """Copies of the network at one precision."""

    weights: Width
    """Width of the quantised layers' weights [bits]."""
    activations: Width
    """Width of what the quantised layers read [bits]."""
    count: Annotated[int, Field(ge=1, le=1000)] = 1
    """How many of them."""
    name: Name | None = None
    """Given a number when there are several; named by its precision when left out."""

    @property
    def precision(self) -> str:
        """Both widths: `w2a4`."""
        return f"w{self.weights}a{self.activations}"


class Ensemble(Consistent):
    """Copies of one network whose answers are combined."""

    name: Name
    network: NetworkReference
    members: Annotated[tuple[Member, ...], Field(min_length=1)]
    """Run one after another, in this order."""
    combiner: Literal["average", "max_vote"] = "average"
    """average: mean of the members' probabilities; max_vote: the class that most members choose."""
    quantize: Rule = "all"
    """Which layers of a member run at its bits; the others stay in full precision."""
    full_precision_bits: Width = 32
    """Width of whatever is not quantised; a member with both widths equal to it is a full-precision one."""
    batch: Size = 1
    """Inputs that are computed at once."""
    weights: Literal["streamed", "resident", "auto"] = "auto"
    """streamed: every inference reads the weights from the outermost level; resident: they stay on the chip between
    inferences; auto: they stay where they fit."""

    @classmethod
    def inconsistencies(cls, data: Any) -> Iterator[Finding]:
        widest = data.get("full_precision_bits", 32) if isinstance(data, dict) else None
        members = list(records(data, "members"))
        for i, member in members:
            for key in ("weights", "activations"):
                bits = member.get(key)
                if isinstance(bits, int) and isinstance(widest, int) and widest < bits <= WIDTHS[-1]:
                    yield ("members", i, key), f"{bits} bits are wider than full precision, which is {widest} bits"
        yield from repeated_names(members, ("members",), "member")

    def is_full_precision(self, member: Member) -> bool:
        """Whether nothing of a member is quantised."""
        return member.weights == member.activations == self.full_precision_bits

    def expanded(self) -> tuple[Member, ...]:
        """One member for each copy, all with a name: fp1, fp2, w2a4-1, w2a4-2, ..."""
        made: Counter[str] = Counter()
        copies = []
        for member in chain.from_iterable([member] * member.count for member in self.members):
            stem = member.name or ("fp" if self.is_full_precision(member) else f"{member.precision}-")
            made[stem] += 1
            if member.name is None:
                name = f"{stem}{made[stem]}"
            else:
                name = member.name if member.count == 1 else f"{stem}-{made[stem]}"
            copies.append(Member(weights=member.weights, activations=member.activations, name=name))
        return tuple(copies)
