"""The notebooks, their parameters, and the one check that refuses a bad parameter.

The check runs before a kernel starts (``equilibria notebook``) and again inside the notebook
(``results.start``), so that plain papermill and JupyterLab are guarded as well.

parameters cell                        first code cell of a notebook, tagged ``parameters``: names
                                       and literals, the defaults of the quick profile
notebooks/parameters/<profile>.yaml    what a profile changes
notebooks/parameters/schema.yaml       types and ranges
"""

from __future__ import annotations

import ast
import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from equilibria.companion.parameter_rules import (
    ParameterError,
    Rule,
    nearest,
    parse_rule,
    require_known,
)
from equilibria.paths import project_root

__all__ = [
    "PROFILES",
    "ParameterError",
    "check",
    "custom_name",
    "declared",
    "find_notebook",
    "notebooks",
    "profile_parameters",
    "schema",
]

PROFILES = ("quick", "paper")
LONGEST_NAME = 80  # characters of a custom name after notebook and profile


def notebooks() -> list[str]:
    """Names of the notebooks without their ending, in reading order."""
    return sorted(path.stem for path in (project_root() / "notebooks").glob("[0-9]*.ipynb"))


def find_notebook(name: str) -> Path:
    """The path of the notebook called ``04``, ``04_linear_programs`` or by a path.

    Raises ParameterError for any other name.
    """
    names = notebooks()
    wanted = Path(name).stem if name.endswith(".ipynb") else name
    for candidate in names:
        number = candidate.split("_")[0]
        if wanted in (candidate, number):
            return project_root() / "notebooks" / f"{candidate}.ipynb"
    choices = ", ".join(names) or "none"
    raise ParameterError(f"no notebook {name!r}{nearest(wanted, names)}; there are {choices}")


def declared(notebook: str) -> dict[str, Any]:
    """The parameters cell of a notebook: names in the order of the cell, with their defaults.

    Raises ParameterError where the cell is missing or holds more than assignments of literals.
    """
    path = find_notebook(notebook)
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    tagged = [cell for cell in cells if "parameters" in cell["metadata"].get("tags", [])]
    if len(tagged) != 1:
        raise ParameterError(f"{path.name} has {len(tagged)} cells tagged `parameters`, not one")
    defaults = {}
    for statement in ast.parse("".join(tagged[0]["source"])).body:
        name, default = _assignment(statement, path.name)
        defaults[name] = default
    return defaults


def profile_parameters(notebook: str, profile: str) -> dict[str, Any]:
    """Every parameter of a notebook in a profile: the notebook's defaults, changed by the profile.

    Raises ParameterError for an unknown profile, or a block that names an unknown parameter.
    """
    require_known("profile", profile, PROFILES)
    name = find_notebook(notebook).stem
    defaults = declared(notebook)
    blocks = _read_yaml(project_root() / "notebooks" / "parameters" / f"{profile}.yaml")
    block = blocks.get(name) or {}
    for key in block:
        require_known(f"parameter of {name} in parameters/{profile}.yaml:", key, defaults)
    return defaults | block | {"profile": profile}


def schema(notebook: str) -> dict[str, Rule]:
    """The rule of each of a notebook's parameters. Raises ParameterError for a misspelt rule."""
    table = _read_yaml(project_root() / "notebooks" / "parameters" / "schema.yaml")
    entries = table["common"] | (table.get(find_notebook(notebook).stem) or {})
    return {name: parse_rule(name, entry) for name, entry in entries.items()}


def check(notebook: str, values: Mapping[str, Any]) -> None:
    """Refuse parameters that a notebook does not have, and values that it cannot use.

    ``values`` may name some of the parameters only. Raises one ParameterError that names all
    problems, one per line.

    >>> check("01", {"seeed": 1})
    Traceback (most recent call last):
    equilibria.companion.parameter_rules.ParameterError: 01_one_over_x: no parameter 'seeed', did...
    """
    name = find_notebook(notebook).stem
    rules = schema(notebook)
    problems = []
    for key, value in values.items():
        if key not in rules:
            choices = ", ".join(rules)
            problems.append(f"no parameter {key!r}{nearest(key, rules)}; there are {choices}")
            continue
        problems += [f"{key} = {value!r}: {text}" for text in rules[key].complaints(value)]
    if problems:
        raise ParameterError("\n".join(f"{name}: {problem}" for problem in problems))


def custom_name(notebook: str, values: Mapping[str, Any]) -> str | None:
    """A name for a run whose parameters differ from its profile's, such as ``01_x-quick-eta=2``.

    None where all of ``values`` are the profile's. A long name ends in a digest instead.
    """
    usual = profile_parameters(notebook, values["profile"])
    changed = [f"{key}={value}" for key, value in values.items() if value != usual[key]]
    if not changed:
        return None
    changes = "-".join(changed)
    text = re.sub(r"[^A-Za-z0-9=.+-]+", "_", changes)
    if len(text) > LONGEST_NAME:
        digest = hashlib.sha256(changes.encode()).hexdigest()[:8]
        text = text[: LONGEST_NAME - 10] + "-" + digest
    return f"{notebook}-{values['profile']}-{text}"


def _assignment(statement: ast.stmt, file: str) -> tuple[str, Any]:
    """(name, value) of ``name = literal``. Raises ParameterError for any other statement."""
    text = ast.unparse(statement)
    refusal = ParameterError(f"{file}: the parameters cell holds `{text}`, not `name = literal`")
    if not isinstance(statement, ast.Assign) or len(statement.targets) != 1:
        raise refusal
    (target,) = statement.targets
    if not isinstance(target, ast.Name):
        raise refusal
    try:
        return target.id, ast.literal_eval(statement.value)
    except ValueError as error:
        raise ParameterError(f"{file}: the value of parameter `{text}` is no literal") from error


def _read_yaml(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text(encoding="utf-8")) or {}
