"""The house: imports run one way, modules stay short, private names stay at home."""

import ast
import statistics
from pathlib import Path

import pytest
from conftest import HOME

LIB = HOME / "lib" / "equilibria"
MODULES = sorted(LIB.rglob("*.py"))
FLOORS = {"operators": 1, "problems": 1, "training": 2, "studies": 3, "companion": 4}


def module_name(path: Path) -> str:
    parts = path.relative_to(LIB.parent).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def floor(name: str) -> int:
    """The core is floor 0; `python -m equilibria` stands on the roof."""
    parts = name.split(".")
    if parts[-1] == "__main__":
        return 5
    return FLOORS.get(parts[1], 0) if len(parts) > 1 else 0


def imports(path: Path):
    """(module, name) of every import of this package."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            for alias in node.names:
                yield node.module, alias.name
        elif isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, ""


def own_imports(path: Path):
    for module, name in imports(path):
        if module.split(".")[0] == "equilibria":
            whole = (
                f"{module}.{name}" if (LIB.parent / module.replace(".", "/")).is_dir() else module
            )
            yield whole, name


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_no_arrow_runs_back_up(path):
    here = floor(module_name(path))
    above = [whole for whole, _ in own_imports(path) if floor(whole) > here]
    assert not above


def test_problems_and_operators_know_nothing_of_training():
    for path in MODULES:
        if module_name(path).split(".")[1:2] == ["operators"]:
            found = [whole for whole, _ in own_imports(path) if floor(whole) > 1]
            assert not found, path


def test_modules_are_short():
    lengths = {
        module_name(path): len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES
    }
    assert {name: length for name, length in lengths.items() if length > 400} == {}
    assert statistics.median(lengths.values()) < 200


def test_no_private_name_crosses_a_module():
    crossing = [
        (module_name(path), whole, name)
        for path in MODULES
        for whole, name in own_imports(path)
        if name.startswith("_") or any(part.startswith("_") for part in whole.split(".")[1:])
    ]
    assert crossing == []
