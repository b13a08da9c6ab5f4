"""What an import drags in, asked of a fresh interpreter; and whether the lazy names of `hwsim` are those declared."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import hwsim

#: Slow to import or optional: for the functions that need them only.
LAZY = {"matplotlib", "onnx", "optuna", "pandas", "plotly", "scipy", "simpy", "torch"}

HELP = """
from hwsim.cli import main
try:
    main(["--help"])
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
    assert third_party("import hwsim") == {"hwsim"}


def test_importing_the_command_line_imports_only_click() -> None:
    assert third_party("import hwsim.cli") == {"click", "hwsim"}


def test_help_imports_only_click() -> None:
    assert third_party(HELP) == {"click", "hwsim"}


def test_using_every_public_name_imports_nothing_slow_or_optional() -> None:
    loaded = third_party("import hwsim\nfor name in hwsim._HOME: getattr(hwsim, name)")
    assert "pydantic" in loaded  # the names were really fetched
    assert not loaded & LAZY


def declared() -> dict[str, str]:
    """Public name -> module, as the imports for type checkers in `hwsim/__init__.py` say."""
    source = Path(hwsim.__file__).read_text(encoding="utf-8")
    (block,) = [
        node
        for node in ast.parse(source).body
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
    ]
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    return {alias.asname or alias.name: node.module or "" for node in imports for alias in node.names}


def test_the_names_fetched_lazily_are_those_declared_to_type_checkers() -> None:
    assert declared() == hwsim._HOME


@pytest.mark.parametrize("name", sorted(hwsim._HOME))
def test_a_public_name_resolves_and_is_listed(name: str) -> None:
    value = getattr(hwsim, name)
    assert getattr(value, "__module__", hwsim._HOME[name]) == hwsim._HOME[name]
    assert name in dir(hwsim)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'map_layers'"):
        hwsim.map_layers  # noqa: B018
