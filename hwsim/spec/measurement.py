"""How robust an ensemble was found to be: the lines that empir writes and hwsim reads.

A file of measurements holds one JSON object a line. A line says what was asked (the ensemble, its trained members, the
data, the attack and how right answers are counted) and what came out. Nothing is ever interpolated between lines: a
point that nobody measured is an error that says which commands measure it.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    JsonValue,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
)

from hwsim.errors import Fault, SpecError, shown
from hwsim.spec.consistency import Consistent, Finding
from hwsim.spec.document import Document, Place, parse
from hwsim.spec.ensemble import Combiner, Name, NetworkReference, Width
from hwsim.spec.explain import explain
from hwsim.spec.lines import append, content_of, numbered
from hwsim.spec.measurement_rules import measurement_inconsistencies
from hwsim.spec.rules import Rule
from hwsim.value import Value, digest

SCHEMA: Literal["hwsim.measurement/1"] = "hwsim.measurement/1"

#: Faulty lines that are explained; of more, only the number is told.
MOST_LINES = 100

#: What came out; everything else is what was asked, but for the versions of what computed it.
RESULTS = frozenset({"clean_accuracy", "robust_accuracy", "interval", "median_distortion", "confusion", "versions"})

_START = f'{{"schema": "{SCHEMA}", '


def _sha256(text: str) -> str:
    if not re.fullmatch("[0-9a-f]{64}", text):
        raise ValueError(f"must be the SHA-256 of a checkpoint, 64 hexadecimal digits, not {shown(text)}")
    return text


def _hexadecimal(text: str) -> str:
    if not re.fullmatch("[0-9a-f]+", text):
        raise ValueError(f"must be a fingerprint in hexadecimal digits, not {shown(text)}")
    return text


def _writable(content: dict[str, JsonValue]) -> dict[str, JsonValue]:
    try:
        json.dumps(content, allow_nan=False)
    except ValueError:
        raise ValueError("holds a number that is not finite, which JSON does not have") from None
    return content


Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Accounting = Literal["standard", "released"]
Seed = Annotated[int, Field(ge=0, lt=2**63)]
Count = Annotated[int, Field(ge=0)]
Fingerprint = Annotated[
    str,
    AfterValidator(_hexadecimal),
    Field(json_schema_extra={"pattern": "^[0-9a-f]+$", "examples": ["2c26b46b68ffc68f"]}),
]
Checksum = Annotated[
    str, AfterValidator(_sha256), Field(json_schema_extra={"pattern": "^[0-9a-f]{64}$", "examples": [64 * "0"]})
]
Plain = Annotated[dict[str, JsonValue], AfterValidator(_writable)]


class MeasuredMember(Value):
    """One trained member."""

    weights: Width
    """Width of the quantised layers' weights [bits]."""
    activations: Width
    """Width of what the quantised layers read [bits]."""
    seed: Seed
    """From which it was trained."""
    checkpoint: Checksum
    """SHA-256 of the file of its weights, 64 hexadecimal digits."""


class Measurement(Consistent):
    """The accuracy of one trained ensemble on one data set, clean and under one attack."""

    model_config = ConfigDict(json_schema_extra=lambda schema: schema["required"].insert(0, "schema"))

    contract: Literal["hwsim.measurement/1"] = Field(default=SCHEMA, alias="schema", description="Of the line.")
    ensemble: Fingerprint
    """`Ensemble.identity()`: follows from network, members' widths, combiner, quantize and full_precision_bits."""
    network: NetworkReference
    quantize: Rule
    """Which layers of a member run at its bits."""
    full_precision_bits: Width
    combiner: Combiner
    members: Annotated[tuple[MeasuredMember, ...], Field(min_length=1)]
    """Every copy, in the order of the ensemble."""
    training: Plain
    """The recipe; its defence.kind names the defence, none included."""
    dataset: Name
    split: Name
    data: Fingerprint
    """Fingerprint of the images and labels."""
    samples: Annotated[int, Field(ge=1)]
    """Images that were attacked."""
    attack: Name
    """none, the name of an attack, worst_case of several, or adaptive: the set of attacks that looks for what others
    miss."""
    parameters: Plain
    """Of the attack, all of them."""
    norm: Literal["linf", "l2", "l0"] | None
    """In which a perturbation is measured."""
    epsilon: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None
    """Largest perturbation allowed, of pixels in [0, 1]; none where the attack minimises it."""
    gradient: Name | None
    """Which surrogate the attack followed."""
    accounting: Accounting
    """standard: a sample counts that is right when clean and under attack, by its true label; released: as EMPIR's code
    counts, which guides the attack by the answer when clean, and counts whatever is right under attack."""
    clean_accuracy: Share
    robust_accuracy: Share
    """Under the attack."""
    interval: tuple[Share, Share]
    """95 % interval of the robust accuracy."""
    median_distortion: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    """Of the successful perturbations, in the norm."""
    confusion: tuple[tuple[Count, ...], ...] | None = None
    """Samples by true class and by decision under attack; left out above 100 classes."""
    seed: Seed
    """Of the attack."""
    versions: dict[str, str]
    """Of the libraries that computed it."""

    @model_serializer(mode="wrap")
    def _under_its_alias(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        content: dict[str, Any] = dump(self)
        return {"schema" if key == "contract" else key: value for key, value in content.items()}

    @property
    def defence(self) -> str:
        """How the members were trained to resist, `none` included."""
        defence = self.training["defence"]
        return str(defence["kind"]) if isinstance(defence, dict) else ""

    @cached_property
    def question(self) -> str:
        """Fingerprint of what was asked: two lines that share it measure the same."""
        return digest("Question", self.model_dump(mode="json", exclude=set(RESULTS)))

    def line(self) -> str:
        """The JSON of a file's line, without its end."""
        return json.dumps(self.model_dump(mode="json"), ensure_ascii=False, allow_nan=False)

    @classmethod
    def inconsistencies(cls, data: Any) -> Iterator[Finding]:
        return measurement_inconsistencies(data)


def read_measurements(path: str | Path) -> tuple[Measurement, ...]:
    """Every measurement of a file, in its order; lines that are equal count once.

    Raises:
        SpecError: with the line of every fault found.
    """
    path = Path(path)
    return _parsed(content_of(path), str(path))


def append_measurements(path: str | Path, measurements: Iterable[Measurement]) -> tuple[Measurement, ...]:
    """Add measurements to a file, made if it is not there, without those whose question it answers already.

    Several processes may append to one file. A last line that a killed writer left incomplete is removed. Without
    measurements this only finds out, ahead of the work, whether the file can take them.

    Returns:
        Those added.

    Raises:
        SpecError: the file cannot be written, or holds something else.
    """
    path, added = Path(path), dict[str, Measurement]()

    def choose(content: bytes) -> Iterator[str]:
        known = {measurement.question for measurement in _parsed(content, str(path))}
        for new in measurements:
            if new.question not in known:
                added.setdefault(new.question, new)
        return (new.line() for new in added.values())

    append(path, choose, _cut_off)
    return tuple(added.values())


def _cut_off(line: bytes) -> bool:
    """Whether a last line without its end is the beginning of one that `Measurement.line` writes."""
    start = _START.encode()
    if not (line.startswith(start) or start.startswith(line)):
        return False
    try:
        json.loads(line)
    except ValueError:
        return True
    return False


def _parsed(content: bytes, file: str) -> tuple[Measurement, ...]:
    found: dict[str, tuple[int, Measurement]] = {}
    faults: list[Fault] = []
    faulty = 0
    torn = content[content.rfind(b"\n") + 1 :]
    torn = torn if torn and _cut_off(torn) else b""
    for number, line in numbered(content.removesuffix(torn)):
        try:
            measurement = _measurement(line, file, number)
        except SpecError as error:
            faulty += 1
            faults += error.faults if faulty <= MOST_LINES else ()
            continue
        first, known = found.setdefault(measurement.question, (number, measurement))
        if _results(known) != _results(measurement):
            faults.append(Fault(f"measures the same as line {first} with another result: remove one", file, number))
    if faulty > MOST_LINES:
        faults.append(Fault(f"{faulty - MOST_LINES} more lines are faulty", file))
    if torn:
        what = "is cut off, because its writer was killed: measure again, which mends the file, or remove the line"
        faults.append(Fault(what, file, content.count(b"\n") + 1))
    if faults:
        raise SpecError(faults)
    return tuple(measurement for _, measurement in found.values())


def _results(measurement: Measurement) -> list[Any]:
    return [getattr(measurement, name) for name in sorted(RESULTS - {"versions"})]


def _measurement(line: bytes, file: str, number: int) -> Measurement:
    """The measurement of one line.

    Raises:
        SpecError: with every fault found.
    """
    twice: list[str] = []

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        read = dict(pairs)
        if len(read) < len(pairs):
            twice.extend(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        return read

    try:
        text = line.decode()
        data = json.loads(text, object_pairs_hook=once, parse_constant=_refuse)
    except UnicodeDecodeError as error:
        raise SpecError([Fault("is not text in UTF-8", file, number, error.start + 1)]) from None
    except json.JSONDecodeError as error:
        raise SpecError([Fault(f"is not JSON: {error.msg}", file, number, error.colno)]) from None
    except (ValueError, RecursionError) as error:
        raise SpecError([Fault(f"is not JSON: {error}", file, number)]) from None
    if not isinstance(data, dict):
        raise SpecError([Fault(f"must be a JSON object, not {shown(data)}", file, number)])
    if data.get("schema") != SCHEMA:
        raise SpecError([Fault(_other_schema(data.get("schema")), file, number, field="schema")])
    faults = [Fault(f"key {shown(key)} is here twice", file, number) for key in twice]
    try:
        measurement = Measurement.model_validate_json(line, strict=True)
    except ValidationError as error:
        document = _placed(text, data, file, number)
        faults += explain(error, document, Measurement)
        faults += (document.fault(why, where) for where, why in Measurement.inconsistencies(data))
    if faults:
        raise SpecError(sorted(dict.fromkeys(faults), key=lambda fault: fault.column or 0))
    return measurement


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number there")


def _other_schema(given: Any) -> str:
    if given is None:
        return f"is missing: a measurement begins with {_START.removesuffix(', ')}, ..."
    kind, _, version = str(given).rpartition("/")
    if kind != SCHEMA.rpartition("/")[0] or not version.isdecimal():
        return f"must be {SCHEMA}, not {shown(given)}"
    newer = int(version) > int(SCHEMA.rpartition("/")[2])
    advice = "update hwsim to read it" if newer else "measure again, with the empir that comes with this hwsim"
    return f"is {given}, and this hwsim reads {SCHEMA}: {advice}"


def _placed(text: str, data: Any, file: str, number: int) -> Document:
    """The data of a line with the places in it, which a reader of YAML knows; at least the line itself."""
    try:
        return replace(parse("\n" * (number - 1) + text, file), data=data)
    except SpecError:  # what JSON allows and YAML does not
        return Document(file, data, values={(): Place(number, 1)})
