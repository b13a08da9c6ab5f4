"""Broken files: every fault at its place and in words, and never a traceback."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from hwsim.errors import SpecError
from hwsim.spec.document import parse
from hwsim.spec.ensemble import Ensemble
from hwsim.spec.files import presets
from hwsim.spec.hardware import Hardware
from hwsim.spec.load import load, load_ensemble, load_hardware

Write = Callable[[str | bytes], Path]
FAULT = re.compile(r".+?spec\.yaml(:\d+:\d+)?(: [^\n]+){1,2}")


def faults(read: Callable[[Path], object], path: Path) -> list[str]:
    """Faults of a file, less its name."""
    with pytest.raises(SpecError) as caught:
        read(path)
    return [line.removeprefix(f"{path}:") for line in str(caught.value).splitlines()]


def test_a_whole_file_is_read(chip: str, ensemble: str, write: Write) -> None:
    hardware = load_hardware(write(chip))
    assert (hardware.clock, hardware.datapaths) == (1e9, 128)
    assert hardware.levels[0].memories[0].energy.read == 12.5e-12
    assert hardware.levels[1].tile == {"R": "full", "S": 2}
    assert [member.count for member in load_ensemble(write(ensemble)).members] == [1, 2]


@pytest.mark.parametrize("name", presets())
def test_every_preset_is_read(name: str) -> None:
    assert isinstance(load_hardware(name), Hardware)


def test_a_file_says_itself_what_it_describes(chip: str, ensemble: str, write: Write) -> None:
    assert isinstance(load(write(chip)), Hardware)
    assert isinstance(load(write(ensemble)), Ensemble)


def test_an_onnx_file_lies_beside_the_ensemble(ensemble: str, write: Write) -> None:
    path = write(ensemble.replace("alexnet", "nets/a.onnx"))
    assert load_ensemble(path).network.name == str(path.parent / "nets" / "a.onnx")
    assert load_ensemble(write(ensemble.replace("alexnet", "/nets/a.onnx"))).network.name == "/nets/a.onnx"


def marked(text: str) -> tuple[str, list[str]]:
    """A text less its marks, and the line and column of what each mark stood before."""
    places, plain = [], text.partition("«")[0]
    for piece in text.split("«")[1:]:
        places.append(f"{plain.count(chr(10)) + 1}:{len(plain) - plain.rfind(chr(10))}")
        plain += piece
    return plain, places


HARDWARE_FAULTS = [
    ("name: small", "««nmae: small", ["name: is missing", "nmae: unknown key (did you mean name?)"]),
    ("name: small\nclock: 1 GHz", "«name: small", [
        "clock: is missing: of the datapath and of everything given per cycle [Hz]"]),
    ("clock: 1 GHz", "clock: «1", ["clock: missing unit: write e.g. 1545 MHz"]),
    ("clock: 1 GHz", "clock: «1 GiHz", ["clock: 'GiHz' is not a unit of a frequency (did you mean GHz?)"]),
    ("clock: 1 GHz", "clock: 1 GHz\n«clock: 2 GHz", ["clock: key 'clock' is here twice; the first is on line 2"]),
    ("clock: 1 GHz", "clock: «!!python/name:os.system", ["clock: tags are not read: remove '!python/name:os.system'"]),
    ("clock: 1 GHz", "clock: «~", ["clock: nothing is not a frequency: write e.g. 1545 MHz"]),
    ("clock: 1 GHz", "clock: «0 GHz", ["clock: must be greater than 0, not '0 GHz'"]),
    ("16 GB/s", "«16 GB", ["levels[0].memories[0].bandwidth: 'GB' lacks what it is per: write e.g. 616 GB/s"]),
    ("16 GB/s", "«16", ["levels[0].memories[0].bandwidth: missing unit: write e.g. 616 GB/s or 64 B/cycle"]),
    ("size: 64 KiB", "size: «-64 KiB", ["levels[1].memories[0].size: '-64 KiB' is negative"]),
    ("size: 16", "size: «16.5", ["levels[1].fanout[0].size: must be a whole number, not 16.5"]),
    ("size: 16", "size: «16.0", ["levels[1].fanout[0].size: must be a whole number, not 16.0"]),
    ("size: 16", 'size: «"16"', ["levels[1].fanout[0].size: must be a whole number, not '16'"]),
    ("size: 16", "size: «yes", ["levels[1].fanout[0].size: must be a whole number, not 'yes'"]),
    ("size: 16", "size: «true", ["levels[1].fanout[0].size: must be a whole number, not true"]),
    ("size: 16", "size: «1" + "0" * 30, [
        f"levels[1].fanout[0].size: must be at most 2147483647, not 1{'0' * 30}"]),
    ("{name: X, size: 16", "«{name: X", ["levels[1].fanout[0].size: is missing: instances along this axis"]),
    ("[K, N]", "[K, «Z]", ["levels[1].fanout[0].dims[1]: must be N, G, K, C, P, Q, R or S, not 'Z'"]),
    ("[K, N]", "«K", ["levels[1].fanout[0].dims: must be a list, not 'K'"]),
    ("multicast: false", "multicast: «no", ["levels[1].fanout[1].multicast: must be true or false, not 'no'"]),
    ("R: full", "R: «whole", ["levels[1].tile.R: must be a whole number or full, not 'whole'"]),
    ("R: full", "«T: full", ["levels[1].tile.T: must be N, G, K, C, P, Q, R or S, not 'T'"]),
    ("keeps: [inputs, outputs]", "keeps: «[]", ["levels[1].memories[1].keeps: must not be empty"]),
    ("keeps: [inputs, outputs]", "keeps: [«input, outputs]", [
        "levels[1].memories[1].keeps[0]: must be weights, inputs or outputs, not 'input' (did you mean inputs?)"]),
    ("keeps: [inputs, outputs]", "keeps: [inputs, «weights]", [
        "levels[1].memories[1].keeps[1]: 'weights' are already kept by 'WB' of the same level"]),
    ("- name: DRAM\n        keeps: [weights, inputs, outputs]", "«- name: DRAM\n        keeps: [weights, inputs]", [
        "levels[0].memories: the outermost level must keep every operand, but not outputs"]),
    ("name: GLB\n", "name: «DRAM\n", ["levels[1].name: another level is named 'DRAM' already"]),
    ("name: Y", "name: «X", ["levels[1].fanout[1].name: another axis is named 'X' already"]),
    ("style: table", "style: «tabel", [
        "datapath.style: must be bit_serial, composable, subword or table, not 'tabel' (did you mean table?)"]),
    ("datapath: {style: table, ", "«datapath: {", ["datapath.style: is missing"]),
    ("weights: 16, a", "weights: «0, a", ["datapath.modes[0].weights: must be at least 1, not 0"]),
    (".inf", "«.nan", ["vector.operations_per_cycle: must be greater than 0, not nan"]),
    (".inf", "«fast", ["vector.operations_per_cycle: must be a number, not 'fast'"]),
    ("{operations_per_cycle: .inf}", "«3", [
        "vector: must be a mapping with the keys operations_per_cycle, energy, not 3"]),
]  # fmt: skip

ENSEMBLE_FAULTS = [
    ("alexnet", "«5", ["network: must be a mapping with the keys name, input_shape, parameters, not 5"]),
    ("alexnet", "{name: a, input_shape: [3, «0]}", ["network.input_shape[1]: must be at least 1, not 0"]),
    ("alexnet", "{name: a, depth: «[1]}", [
        "network.depth: must be true or false, a whole number, a number or text, not a list"]),
    ("weights: 2,", "weights: «12,", ["members[1].weights: must be 1 to 8, 16 or 32 bits, not 12"]),
    ("weights: 2,", "weights: «2.0,", ["members[1].weights: must be a whole number, not 2.0"]),
    ("{weights: 2, activations: 4", "«{weights: 2, «activation: 4", [
        "members[1].activations: is missing: width of what the quantised layers read [bits]",
        "members[1].activation: unknown key (did you mean activations?)"]),
    ("members:", "combiner: «max\nmembers:", ["combiner: must be average, max_vote or random_switch, not 'max'"]),
    ("members:", "quantize: «conv\nmembers:", [
        "quantize: must be all, convs, except_first_and_last or a mapping with the key full_precision, not 'conv' "
        "(did you mean convs?)"]),
    ("members:", "«quantize: {«full_precison: [a]}\nmembers:", [
        "quantize.full_precision: is missing: names of the layers that stay in full precision",
        "quantize.full_precison: unknown key (did you mean full_precision?)"]),
    ("members:\n  - {weights: 32, activations: 32}", "full_precision_bits: 16\nmembers:\n"
        "  - {weights: «32, activations: «32}", [
        "members[0].weights: 32 bits are wider than full precision, which is 16 bits",
        "members[0].activations: 32 bits are wider than full precision, which is 16 bits"]),
    ("count: 2", "«clont: 2", ["members[1].clont: unknown key (did you mean count?)"]),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "expected"), HARDWARE_FAULTS)
def test_faults_of_hardware(old: str, new: str, expected: list[str], chip: str, write: Write) -> None:
    assert chip.count(old) >= 1
    text, places = marked(chip.replace(old, new, 1))
    assert faults(load_hardware, write(text)) == [f"{p}: {e}" for p, e in zip(places, expected, strict=True)]


@pytest.mark.parametrize(("old", "new", "expected"), ENSEMBLE_FAULTS)
def test_faults_of_ensembles(old: str, new: str, expected: list[str], ensemble: str, write: Write) -> None:
    assert ensemble.count(old) == 1
    text, places = marked(ensemble.replace(old, new))
    assert faults(load_ensemble, write(text)) == [f"{p}: {e}" for p, e in zip(places, expected, strict=True)]


def test_every_fault_comes_at_once_and_in_order(chip: str, write: Write) -> None:
    broken = chip.replace("1 GHz", "1").replace("64 KiB", "64").replace("size: 16", "size: 0").replace(".inf", "0")
    broken = broken.replace("name: Y", "name: X").replace("read: 12.5 pJ/bit", "raed: 1 pJ/bit, read: 12.5 pJ")
    assert [fault.split(": ")[1] for fault in faults(load_hardware, write(broken))] == [
        "clock",
        "levels[0].memories[0].energy.raed",
        "levels[0].memories[0].energy.read",
        "levels[1].memories[0].size",
        "levels[1].fanout[0].size",
        "levels[1].fanout[1].name",
        "vector.operations_per_cycle",
    ]


@pytest.mark.parametrize("text", ["17", "- name: x", "just words", "null"])
def test_a_file_that_is_no_mapping(text: str, write: Write) -> None:
    (fault,) = faults(load_hardware, write(text))
    assert fault.startswith("1:1: must be a mapping with the keys name, description, technology, clock, levels")


def test_a_missing_file_suggests_presets(tmp_path: Path) -> None:
    for name in presets():
        with pytest.raises(SpecError, match=re.escape(f"(did you mean {name}?)")):
            load_hardware(f"{name}x")


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(write: Write, content: bytes) -> None:
    for read in (load_hardware, load_ensemble, load):
        with pytest.raises(SpecError) as caught:  # so short a file is never a whole description
            read(write(content))
        assert all(FAULT.fullmatch(line) for line in str(caught.value).splitlines())


SCALARS = st.sampled_from(
    [None, True, 0, 1, -1, 2.5, 10**30, float("inf"), "", "x", "1", "1 KiB", "1 GHz", "K", "full", "weights", "a\nb"]
)
ANYTHING = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner)
)


def refused(read: Callable[[], object]) -> SpecError | None:
    """What was said against a file, if it was not read."""
    try:
        read()
    except SpecError as error:
        return error
    return None


def nodes(data: Any) -> list[tuple[Any, Any]]:
    """Every container inside some data, with each of its keys or indices."""
    found: list[tuple[Any, Any]] = []
    entries = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in entries:
        found += [(data, key), *nodes(value)]
    return found


@settings(max_examples=200)
@given(st.data())
def test_a_file_changed_anywhere_is_read_or_refused(
    chip: str, ensemble: str, write: Write, data: st.DataObject
) -> None:
    text, read = data.draw(st.sampled_from([(chip, load_hardware), (ensemble, load_ensemble)]))
    content = parse(text, "f").data
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
    refusal = refused(lambda: read(write(json.dumps(content).replace("Infinity", ".inf"))))
    if refusal:
        assert refusal.faults
        assert all(fault.line for fault in refusal.faults)
        assert all(FAULT.fullmatch(line) for line in str(refusal).splitlines())


@given(st.text(alphabet="levs.GLB[]01=clock X{}:,\n", max_size=30))
def test_any_change_is_made_or_refused(chip: str, write: Write, override: str) -> None:
    path = write(chip)
    refusal = refused(lambda: load_hardware(path, [override]))
    if refusal:
        assert all(str(fault).startswith(("--set ", str(path))) for fault in refusal.faults)
        assert len(str(refusal).splitlines()) == len(refusal.faults)
