"""What `empir` drags in, and whether its lazy names are those declared."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import empir
from empir.cli import NAMES

HELP = """
from empir.cli import main
try:
    main({arguments!r})
except SystemExit as stop:
    assert not stop.code, stop.code
"""


def third_party(code: str) -> set[str]:
    """Top-level packages outside the standard library that running `code` imports."""
    program = f"""
import sys
before = set(sys.modules)
{code}
import json
loaded = {{name.partition(".")[0] for name in set(sys.modules) - before}}
print("\\n" + json.dumps(sorted(loaded - sys.stdlib_module_names)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_importing_the_package_imports_nothing_else() -> None:
    assert third_party("import empir") == {"empir", "hwsim"}


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], *([name, "--help"] for name in NAMES)])
def test_help_imports_only_click(arguments: list[str]) -> None:
    assert third_party(HELP.format(arguments=arguments)) == {"click", "empir", "hwsim"}


def test_the_names_fetched_lazily_are_those_declared_to_type_checkers() -> None:
    (block,) = [
        node
        for node in ast.parse(Path(empir.__file__).read_text(encoding="utf-8")).body
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
    ]
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    assert {alias.asname or alias.name: node.module for node in imports for alias in node.names} == empir._HOME


@pytest.mark.parametrize("name", sorted(empir._HOME))
def test_a_public_name_resolves_and_is_listed(name: str) -> None:
    value = getattr(empir, name)
    assert value.__module__ == empir._HOME[name]
    assert name in dir(empir)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'atack'"):
        empir.atack  # noqa: B018
