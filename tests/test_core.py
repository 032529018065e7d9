"""The core needs torch, NumPy and safetensors alone."""

import json
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

pytestmark = pytest.mark.end_to_end

CORE = ("torch", "numpy", "safetensors")

PROGRAM = Path(__file__).with_name("core_alone.py")


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def needed_distributions() -> set[str]:
    """The project itself, the core's requirements, and theirs in turn."""
    needed = {"equilibria"}
    waiting = list(CORE)
    while waiting:
        name = normalised(waiting.pop())
        if name in needed:
            continue
        needed.add(name)
        try:
            requirements = metadata.requires(name) or []
        except metadata.PackageNotFoundError:  # one for another platform
            continue
        for requirement in requirements:
            if "extra ==" not in requirement:
                waiting.append(re.match(r"[\w.-]+", requirement)[0])
    return needed


def other_modules() -> list[str]:
    """Top-level modules that are installed here, and that the core must not need."""
    needed = needed_distributions()
    modules = []
    for module, distributions in metadata.packages_distributions().items():
        if not any(normalised(name) in needed for name in distributions):
            modules.append(module)
    return modules


def test_the_core_works_with_everything_else_hidden(tmp_path):
    hidden = other_modules()
    assert {"scipy", "matplotlib", "yaml", "tqdm", "torch_geometric"} <= set(hidden)
    command = [sys.executable, "-W", "error", PROGRAM, json.dumps(hidden), tmp_path]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr
    assert run.stdout == "hidden and imported: []\n"


def test_hidden_modules_cannot_be_imported():
    program = "import core_alone; core_alone.hide({'matplotlib'}); import matplotlib"
    command = [sys.executable, "-c", program]
    run = subprocess.run(command, capture_output=True, text=True, cwd=PROGRAM.parent)
    assert "No module named 'matplotlib'" in run.stderr
