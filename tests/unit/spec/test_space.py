"""Space files: what is read, every fault at its place, and never a traceback."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from pydantic import ValidationError

from hwsim.errors import SpecError
from hwsim.spec.document import parse
from hwsim.spec.load import load, load_space
from hwsim.spec.space import Sampled, Space, Span
from tests.unit.spec.measured import line

SPACE = """\
name: small
subjects:
  - {network: mnistconv, quantize: convs}
  - network: alexnet
ensembles:
  full_precision: [0, 1]
  low_precision: {from: 0, to: 4, step: 2}
  weights: [1, 2]
  activations: 4
  combiner: [average, max_vote]
chips:
  base: chip.yaml
  node: 12 nm
  knobs:
    - path: clock
      values: [1 GHz, 2 GHz]
    - name: buffer
      path: levels.GLB.memories.GLB.size
      range: {from: 128 KiB, to: 512 KiB, factor: 2}
    - name: array
      choices:
        as it is: {}
        wide: {levels.GLB.fanout.X.size: 32, levels.GLB.fanout.Y.size: 4}
objectives: {time_overhead: minimise, area: minimise}
constraints: {time_overhead: 25 %, storage_overhead: 0.25}
"""

FAULT = re.compile(r"[^\n]+?\.(yaml|jsonl)(:\d+(:\d+)?)?(: [^\n]+){1,2}")


@pytest.fixture
def write(chip: str, tmp_path: Path) -> Callable[[str], Path]:
    """Puts a space into a file beside its chip and its measurements."""
    (tmp_path / "chip.yaml").write_text(chip)
    (tmp_path / "measured.jsonl").write_text(f"{line()}\n")

    def to_file(text: str) -> Path:
        path = tmp_path / "space.yaml"
        path.write_text(text)
        return path

    return to_file


Write = Callable[[str], Path]


def faults(path: Path) -> list[str]:
    """Faults of a space, less the name of its file."""
    with pytest.raises(SpecError) as caught:
        load_space(path)
    return [text.removeprefix(f"{path}:") for text in str(caught.value).splitlines()]


def marked(text: str) -> tuple[str, list[str]]:
    """A text less its marks, and the line and column of what each mark stood before."""
    places, plain = [], text.partition("«")[0]
    for piece in text.split("«")[1:]:
        places.append(f"{plain.count(chr(10)) + 1}:{len(plain) - plain.rfind(chr(10))}")
        plain += piece
    return plain, places


def test_a_whole_space_is_read(write: Write) -> None:
    path = write(SPACE)
    space = load_space(path)
    assert load(path) == space
    assert [subject.network.name for subject in space.subjects] == ["mnistconv", "alexnet"]
    assert space.ensembles.low_precision == Span.model_validate({"from": 0, "to": 4, "step": 2})
    assert space.chips.bases == (str(path.parent / "chip.yaml"),)
    assert space.chips.node == 12e-9
    assert space.constraints == {"time_overhead": 0.25, "storage_overhead": 0.25}
    assert space.engine.kind == "exhaustive"


def test_what_is_left_out(write: Write) -> None:
    text = "name: s\nsubjects: [{network: lenet5}]\nchips: {base: turing}\nobjectives: {members: maximise}\n"
    space = load_space(write(text))
    assert space.chips.bases == ("turing",)
    assert space.constraints == {}
    assert space.ensembles.low_precision == Span.model_validate({"from": 0, "to": 4})
    assert space.keep == "front"


def test_a_space_is_the_same_when_written_and_read_again(write: Write) -> None:
    space = load_space(write(SPACE))
    assert Space.model_validate_json(space.model_dump_json()) == space
    again = Space.model_validate(space.model_dump(mode="json"))
    assert again.fingerprint() == space.fingerprint()
    assert again.model_copy(update={"keep": "all"}).fingerprint() != space.fingerprint()


def test_what_a_space_names_lies_beside_it(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    text = SPACE.replace("alexnet", "{name: nets/a.onnx}").replace("convs}", "convs, measurements: measured.jsonl}")
    path = write(text)
    monkeypatch.chdir(path.parent.parent)
    relative = path.relative_to(path.parent.parent)
    space = load_space(relative)
    assert space.subjects[1].network.name == str(relative.parent / "nets" / "a.onnx")
    assert space.subjects[0].measurements == str(relative.parent / "measured.jsonl")
    assert space.chips.base == str(relative.parent / "chip.yaml")


def test_changes_from_the_command_line(write: Write) -> None:
    changes = ["ensembles.batch=[1, 16]", "engine={kind: tpe, trials: 9}", "constraints.area=800 mm2"]
    space = load_space(write(SPACE), changes)
    assert space.ensembles.batch == (1, 16)
    assert space.engine == Sampled(kind="tpe", trials=9)
    assert space.constraints["area"] == 8e-4
    with pytest.raises(SpecError) as caught:
        load_space(write(SPACE), ["constraints.area=800", "chips.knobs.array.choices.wide={lunch: 1}"])
    assert sorted(str(caught.value).splitlines()) == [
        "--set chips.knobs.array.choices.wide={lunch: 1}: chips.knobs[2].choices.wide.lunch: the file has no key "
        "'lunch' (did you mean launch?)",
        "--set constraints.area=800: constraints.area: missing unit: write e.g. 36 mm2",
    ]


QUANTITIES = (
    "time_overhead, storage_overhead, energy_overhead, seconds, energy_joules, storage_bytes, baseline_seconds, area, "
    "members, low_precision, member_bits, clean_accuracy, clean_loss or robust_accuracy"
)

FAULTS = [
    ("name: small", "««nmae: small", ["name: is missing", "nmae: unknown key (did you mean name?)"]),
    ("alexnet", "«~", ["subjects[1].network: must be a mapping with the keys name, input_shape, parameters, not "
                       "nothing"]),
    ("alexnet\n", "alexnet\n  - {network: mnistconv, quantize: all}\n  - «{network: {name: alexnet}}\n", [
        "subjects[3]: has the network and the rule of subjects[1]: put it into another space"]),
    ("convs}", "convs, measurements: «nowhere.jsonl}", [
        "subjects[0].measurements: {folder}/nowhere.jsonl: cannot be read: no such file or directory"]),
    ("[0, 1]", "[0, 1, «0]", ["ensembles.full_precision[2]: 0 stands here twice"]),
    ("[0, 1]", "«-1", ["ensembles.full_precision: must be at least 0, not -1"]),
    ("[0, 1]", "[0, «1001]", ["ensembles.full_precision[1]: 1001 members are more than 1000"]),
    ("[0, 1]", "«[]", ["ensembles.full_precision: must not be empty"]),
    ("[0, 1]", "«some", ["ensembles.full_precision: must be a whole number, a list or a mapping with the keys from, "
                         "to, step, not 'some'"]),
    ("{from: 0, to: 4, step: 2}", "«{from: 4, to: 1}", [
        "ensembles.low_precision: 1 is less than 4, from which it starts"]),
    ("{from: 0, to: 4, step: 2}", "«{from: 0, to: 2147483647}", [
        "ensembles.low_precision: gives 2147483648 numbers, more than 1000"]),
    ("{from: 0, to: 4, step: 2}", "{from: 0, to: 4, step: «0}", [
        "ensembles.low_precision.step: must be at least 1, not 0"]),
    ("[1, 2]", "[1, «12]", ["ensembles.weights[1]: must be 1 to 8, 16 or 32 bits, not 12"]),
    ("[1, 2]", "«{from: 8, to: 9}", ["ensembles.weights: must be 1 to 8, 16 or 32 bits, not 9"]),
    ("activations: 4", "activations: «8\n  full_precision_bits: 4", [
        "ensembles.activations: 8 bits are wider than full precision, which is 4 bits"]),
    ("[1, 2]\n  activations: 4", "[2, 32]\n  activations: [4, «32]", [
        "ensembles.activations[1]: 32 bits with 32-bit weights are a full-precision member: full_precision counts "
        "those"]),
    ("max_vote", "«max_vot", ["ensembles.combiner[1]: must be average, max_vote or random_switch, not 'max_vot' (did "
                              "you mean max_vote?)"]),
    ("max_vote", "«average", ["ensembles.combiner[1]: 'average' stands here twice"]),
    ("activations: 4", "activations: 4\n  batch: [«0, 1]", ["ensembles.batch[0]: must be at least 1, not 0"]),
    ("activations: 4", "activations: 4\n  weights_stay: «planned", [
        "ensembles.weights_stay: planned is chosen for every ensemble anew, while the exhaustive engine adds up "
        "members priced once: take engine: {kind: nsga2, trials: 500}"]),
    ("- path: clock\n", "- «name: x\n", ["chips.knobs[0]: needs a path with values or a range, or choices"]),
    ("path: clock\n      values: [1 GHz, 2 GHz]", "«path: clock", ["chips.knobs[0]: needs values or a range"]),
    ("values: [1 GHz, 2 GHz]", "values: «[]", ["chips.knobs[0].values: must not be empty"]),
    ("values: [1 GHz, 2 GHz]", "values: [1 GHz]\n      range: «{from: 1 GHz, to: 2 GHz, factor: 2}", [
        "chips.knobs[0].range: give either values or a range, not both"]),
    ("path: clock\n      values: [1 GHz, 2 GHz]", "path: «clock\n      values: «[1 GHz]\n      choices: {a: {}}\n"
        "      name: x", [
        "chips.knobs[0].path: a knob has either choices or one path, not both",
        "chips.knobs[0].values: a knob has either choices or one path, not both"]),
    ("2 GHz]", "2 GHz, «1 GHz]", ["chips.knobs[0].values[2]: '1 GHz' stands here twice"]),
    ("{from: 128 KiB, to: 512 KiB,", "«{from: 128 KiB, to: 512 KiB, step: 1 KiB,", [
        "chips.knobs[1].range: has a step and a factor: give one of them"]),
    ("{from: 128 KiB, to: 512 KiB, factor: 2}", "«{from: 128 KiB, to: 512 KiB}", [
        "chips.knobs[1].range: needs a step or a factor"]),
    ("factor: 2}", "factor: «1}", ["chips.knobs[1].range.factor: must be greater than 1, not 1"]),
    ("factor: 2}", "step: «0 KiB}", ["chips.knobs[1].range.step: must be more than nothing, not '0 KiB'"]),
    ("to: 512 KiB", "to: «512 MB", ["chips.knobs[1].range.to: must be in KiB as the first is, not '512 MB'"]),
    ("to: 512 KiB", "to: «64 KiB", ["chips.knobs[1].range.to: '64 KiB' is less than the first, '128 KiB'"]),
    ("- name: array\n      ", "- «", ["chips.knobs[2]: has choices, and so needs a name"]),
    ("name: array", "name: «buffer", ["chips.knobs[2].name: knobs[1] has the name 'buffer' already"]),
    ("name: array", "name: «base", ["chips.knobs[2].name: 'base' is the name of what the knobs change: choose "
                                    "another"]),
    ("node: 12 nm", "node: «12", ["chips.node: missing unit: write e.g. 12 nm"]),
    ("node: 12 nm", "node: «0 nm", ["chips.node: must be greater than 0, not '0 nm'"]),
    ("area: minimise", "«aera: minimise", [
        f"objectives.aera: must be {QUANTITIES}, not 'aera' (did you mean area?)"]),
    ("area: minimise", "area: «minimize", ["objectives.area: must be minimise or maximise, not 'minimize' (did you "
                                           "mean minimise?)"]),
    ("area: minimise", "robust_accuracy: «maximise", ["objectives.robust_accuracy: no subject has measurements, which "
                                                      "alone tell it"]),
    ("{time_overhead: minimise, area: minimise}", "«{}", ["objectives: must not be empty"]),
    ("0.25}", "«25 GB, «time: 1, clean_loss: «2 %, area: «800, seconds: 1 s}", [
        "constraints.storage_overhead: must be a number such as 0.25 or 25 %, not '25 GB'",
        f"constraints.time: must be {QUANTITIES}, not 'time'",
        "constraints.clean_loss: no subject has measurements, which alone tell it",
        "constraints.area: missing unit: write e.g. 36 mm2"]),
    ("{time_overhead: 25 %, storage_overhead: 0.25}", "«25 %", ["constraints: must be a mapping, not '25 %'"]),
    ("objectives:", "engine: {kind: «nsga, trials: 1}\nobjectives:", ["engine.kind: must be exhaustive, nsga2 or tpe, "
                                                                      "not 'nsga' (did you mean nsga2?)"]),
    ("objectives:", "«engine: {kind: tpe}\nobjectives:", ["engine.trials: is missing: how many designs are looked "
                                                          "at"]),
    ("objectives:", "accuracy: «honest\nobjectives:", ["accuracy: must be verify, standard or released, not "
                                                       "'honest'"]),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "expected"), FAULTS)
def test_faults(old: str, new: str, expected: list[str], write: Write) -> None:
    assert SPACE.count(old) == 1
    text, places = marked(SPACE.replace(old, new))
    path = write(text)
    assert faults(path) == [
        f"{place}: {message.replace('{folder}', str(path.parent))}"
        for place, message in zip(places, expected, strict=True)
    ]


def test_no_member_at_all(write: Write) -> None:
    text = SPACE.replace("[0, 1]", "0").replace("{from: 0, to: 4, step: 2}", "[0]")
    assert faults(write(text)) == ["6:3: ensembles: no ensemble has a member: full_precision and low_precision are 0"]


def test_area_needs_a_feature_size(write: Write) -> None:
    text = SPACE.replace("  node: 12 nm\n", "").replace("0.25}", "0.25, area: 800 mm2}")
    why = "no area is known without chips.node, the feature size it is estimated for"
    assert faults(write(text)) == [f"23:45: objectives.area: {why}", f"24:66: constraints.area: {why}"]


def test_measured_quantities_need_measurements_of_one_subject(write: Write) -> None:
    text = SPACE.replace("area: minimise", "robust_accuracy: maximise")
    text = text.replace("convs}", "convs, measurements: measured.jsonl}")
    assert load_space(write(text)).objectives["robust_accuracy"] == "maximise"


def test_planned_weights_are_for_the_sampling_engine(write: Write) -> None:
    text = SPACE.replace("activations: 4", "activations: 4\n  weights_stay: planned")
    assert load_space(write(text + "engine: {kind: tpe, trials: 3}\n")).ensembles.weights_stay == "planned"


def test_faults_inside_measurements_follow_those_of_the_space(write: Write) -> None:
    path = write(SPACE.replace("name: small", "nam: small").replace("convs}", "convs, measurements: measured.jsonl}"))
    (path.parent / "measured.jsonl").write_text(f"{line()}\n{line(samples=0, confusion=None)}\n")
    own, other, inside = faults(path)
    assert (own, other) == ("1:1: name: is missing", "1:1: nam: unknown key (did you mean name?)")
    assert inside.startswith(f"{path.parent / 'measured.jsonl'}:2:")
    assert inside.endswith("samples: must be at least 1, not 0")


def test_the_model_itself_refuses_what_a_file_may_not_say() -> None:
    space = {
        "name": "s",
        "subjects": [{"network": "lenet5"}],
        "chips": {"base": "turing"},
        "objectives": {"area": "minimise"},
        "constraints": {"area": 1},
    }
    with pytest.raises(ValidationError) as caught:
        Space.model_validate(space)
    assert [error["loc"] for error in caught.value.errors()] == [("objectives", "area"), ("constraints", "area")]


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "bytes.yaml"
    path.write_bytes(content)
    with pytest.raises(SpecError) as caught:
        load_space(path)
    assert all(FAULT.fullmatch(text) for text in str(caught.value).splitlines())


SCALARS = st.sampled_from(
    [None, True, 0, 1, -1, 2.5, 10**30, float("inf"), "", "x", "1", "1 KiB", "25 %", "turing", "clock", "area", "a\nb"]
)
ANYTHING = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner)
)


def nodes(data: Any) -> list[tuple[Any, Any]]:
    """Every container inside some data, with each of its keys or indices."""
    found: list[tuple[Any, Any]] = []
    entries = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in entries:
        found += [(data, key), *nodes(value)]
    return found


def refused(path: Path) -> SpecError | None:
    """What was said against a space, if it was not read."""
    try:
        load_space(path)
    except SpecError as error:
        return error
    return None


@settings(max_examples=150)
@given(st.data())
def test_a_file_changed_anywhere_is_read_or_refused(
    chip: str, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.getbasetemp()
    (folder / "chip.yaml").write_text(chip)
    content = parse(SPACE, "f").data
    for _ in range(data.draw(st.integers(1, 3))):
        container, key = data.draw(st.sampled_from(nodes(content)))
        kind = data.draw(st.sampled_from(["replace", "remove", "rename"]))
        if kind == "replace" or isinstance(container, list):
            container[key] = data.draw(ANYTHING)
        else:
            value = container.pop(key)
            if kind == "rename":
                container[data.draw(st.text(max_size=5))] = value
        if not nodes(content):
            break
    path = folder / "changed.yaml"
    path.write_text(json.dumps(content).replace("Infinity", ".inf"))
    refusal = refused(path)
    if refusal:
        assert refusal.faults
        assert all(fault.line for fault in refusal.faults)
        assert all(FAULT.fullmatch(text) for text in str(refusal).splitlines())
