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
from collections.abc import Iterable, Mapping
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
    "check_injected",
    "custom_name",
    "declared",
    "find_notebook",
    "notebooks",
    "profile_parameters",
    "schema",
]

PROFILES = ("quick", "paper")
LONGEST_NAME = 70  # characters of a custom name between profile and digest
INJECTED = "# Parameters\n"  # how the cell begins that papermill adds


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
    block = _table(blocks.get(name), f"{profile}.yaml: {name}")
    for key in block:
        require_known(f"parameter of {name} in parameters/{profile}.yaml:", key, defaults)
    return defaults | block | {"profile": profile}


def schema(notebook: str) -> dict[str, Rule]:
    """The rule of each of a notebook's parameters. Raises ParameterError for a misspelt rule."""
    table = _read_yaml(project_root() / "notebooks" / "parameters" / "schema.yaml")
    name = find_notebook(notebook).stem
    entries = _table(table["common"], "schema.yaml: common")
    entries |= _table(table.get(name), f"schema.yaml: {name}")
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


def check_injected(notebook: str, cells: Iterable[str]) -> None:
    """Refuse names that papermill has set and that the notebook does not have.

    papermill itself sets a misspelt name, too, and the notebook would run with its default.
    ``cells`` are the sources that the kernel has executed. Raises ParameterError.
    """
    known = schema(notebook)
    for source in cells:
        if not source.startswith(INJECTED):
            continue
        for statement in ast.parse(source).body:
            require_known(f"parameter of {notebook}:", _assignment(statement, notebook)[0], known)


def custom_name(notebook: str, values: Mapping[str, Any]) -> str | None:
    """A name for a run whose parameters differ from its profile's: ``01_x-quick-eta=2-0f3a91c2``.

    None where all of ``values`` are the profile's. The digest is of the values themselves: two runs
    share a name only if they share all values, whatever letters these are written in.
    """
    usual = profile_parameters(notebook, values["profile"])
    changed = {key: value for key, value in values.items() if value != usual[key]}
    if not changed:
        return None
    text = "-".join(f"{key}={value}" for key, value in changed.items())
    text = re.sub(r"[^A-Za-z0-9=.+-]+", "_", text)[:LONGEST_NAME]
    digest = hashlib.sha256(repr(sorted(changed.items())).encode()).hexdigest()[:8]
    return f"{notebook}-{values['profile']}-{text}-{digest}"


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
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise ParameterError(f"parameters/{path.name} is no YAML ({reason})") from error
    if content is not None and not isinstance(content, dict):
        raise ParameterError(f"parameters/{path.name} must hold one block per notebook")
    return content or {}


def _table(block: Any, where: str) -> dict[str, Any]:
    """A block of a YAML file: names and values, where a name is one that Python can assign to."""
    if block is None:
        return {}
    if not isinstance(block, dict):
        raise ParameterError(f"parameters/{where} must hold `name: value`, got {block!r}")
    for name in block:
        if not (isinstance(name, str) and name.isidentifier()):
            raise ParameterError(f"parameters/{where}: {name!r} is no name of a parameter")
    return dict(block)
