"""The studies as a whole: what there is, what the command prints, and that each folder shows it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from hwsim.cli import main
from hwsim.errors import SpecError
from hwsim.validate import Report, Table, studies, validate

BUNDLED = {"accelforge", "bitfusion", "eyeriss", "scalesim", "sen_iclr2020"}


def test_every_study_has_a_folder_that_names_its_command(repository: Path) -> None:
    assert set(studies()) > BUNDLED
    for name in studies():
        text = (repository / "studies" / name / "README.md").read_text(encoding="utf-8")
        assert f"$ hwsim validate {name}" in text


@pytest.mark.parametrize(
    ("name", "lasting"),
    [
        ("bitfusion", slice(None)),
        ("scalesim", slice(None)),
        ("sen_iclr2020", slice(None)),
        pytest.param("eyeriss", slice(0, 4), marks=pytest.mark.slow),
        pytest.param("accelforge", slice(1, 3), marks=pytest.mark.slow),
    ],
)
def test_a_folder_shows_the_tables_that_its_command_prints(
    repository: Path, reported: Callable[[str], Report], name: str, lasting: slice
) -> None:
    """Left out are those with CPU times and with the mapper's choice among equals, which may change."""
    text = (repository / "studies" / name / "README.md").read_text(encoding="utf-8")
    assert all(str(table) in text for table in reported(name).tables[lasting])


def test_the_command_lists_studies_and_refuses_what_is_none() -> None:
    listed = CliRunner().invoke(main, ["validate"])
    assert listed.stdout.split() == list(studies())
    unknown = CliRunner().invoke(main, ["validate", "eyris"])
    assert unknown.exit_code == 2
    assert "did you mean eyeriss?" in unknown.stderr


def test_the_command_prints_the_report(tmp_path: Path) -> None:
    data = tmp_path / "rtl.csv"
    data.write_text(
        "mapping,N,C,K,P,Q,R,S,stride_h,stride_w,rtl_cycles\n"
        "L3[WIO] K2 - L2[WI] K4X - L1[O] C8X - L0[W] P16,1,8,8,16,1,1,1,1,1,100\n"
    )
    done = CliRunner().invoke(main, ["validate", "gemmini", "--data", str(data)])
    assert done.exit_code == 0
    assert done.stdout.rstrip() == str(validate("gemmini", data))


def test_data_goes_to_studies_that_need_it_and_to_no_other(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="needs a file of figures"):
        validate("gemmini")
    with pytest.raises(SpecError, match="takes no file"):
        validate("bitfusion", tmp_path / "any.csv")


def test_tables_align_and_keep_integers_whole() -> None:
    table = Table("Title.", ("layer", "cycles", "error"), (("a", 1234567, "+1.0 %"), ("bc", 3, "0.0 %")))
    assert str(Report("name", "someone", (table,), ("Finding.",))) == (
        "name: someone\n\n"
        "Title.\n\n"
        "| layer |    cycles | error  |\n"
        "| ----- | --------: | ------ |\n"
        "| a     | 1,234,567 | +1.0 % |\n"
        "| bc    |         3 | 0.0 %  |\n\n"
        "Finding."
    )
