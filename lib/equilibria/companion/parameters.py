"""Where the project lies, and what a notebook may be asked to do.

Owns the folders, the list of notebooks, their parameters and the one check that refuses a bad parameter, used before a
kernel starts (``equilibria notebook``) and again inside the notebook (``results.start``), so that plain papermill and
JupyterLab are guarded as well.

    parameters cell              first code cell of a notebook, tagged ``parameters``: literals, the quick defaults
    notebooks/parameters/        ``<profile>.yaml`` (what a profile changes) and ``schema.yaml`` (types and ranges)
    EQUILIBRIA_ROOT              the folder that holds ``notebooks/`` and ``claims.yml``; else found from this file
    EQUILIBRIA_DATA, _FIGURES    ``data/`` and ``figures/`` elsewhere (a large disk; a test that must not touch results)
"""

import ast
import difflib
import json
import math
from pathlib import Path

from equilibria.paths import project_root

__all__ = [
    "PROFILES",
    "ParameterError",
    "check",
    "declared",
    "find_notebook",
    "notebooks",
    "schema",
    "settings",
]

PROFILES = ("quick", "paper")
_TYPES = {"int": int, "float": (int, float), "str": str, "bool": bool, "list": list}
_RULES = {"type", "min", "max", "above", "below", "choices", "items", "min_items", "help"}


class ParameterError(ValueError):
    """A notebook, profile or parameter that does not exist or cannot be used; the message says what would do."""


def notebooks() -> list[str]:
    """Names of the notebooks, in reading order, without the ending."""
    return sorted(path.stem for path in (project_root() / "notebooks").glob("[0-9]*.ipynb"))


def find_notebook(name: str) -> Path:
    """The notebook called ``04``, ``04_linear_programs`` or by a path. Raises ``ParameterError`` for any other name."""
    names = notebooks()
    wanted = Path(name).stem if name.endswith(".ipynb") else name
    found = [n for n in names if n == wanted or n.split("_")[0] == wanted]
    if not found:
        raise ParameterError(
            f"no notebook {name!r}{_nearest(wanted, names)}; there are {', '.join(names) or 'none'}"
        )
    return project_root() / "notebooks" / f"{found[0]}.ipynb"


def declared(notebook: str) -> dict:
    """The parameters cell of a notebook as a dict: its names in order, with their defaults.

    Raises ``ParameterError`` where the cell is missing or holds anything but assignments of literals.
    """
    path = find_notebook(notebook)
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    tagged = [cell for cell in cells if "parameters" in cell["metadata"].get("tags", [])]
    if len(tagged) != 1:
        raise ParameterError(f"{path.name} has {len(tagged)} cells tagged `parameters`, not one")
    values = {}
    for line in ast.parse("".join(tagged[0]["source"])).body:
        if not (
            isinstance(line, ast.Assign)
            and len(line.targets) == 1
            and isinstance(line.targets[0], ast.Name)
        ):
            raise ParameterError(
                f"{path.name}: the parameters cell holds `{ast.unparse(line)}`, not `name = literal`"
            )
        try:
            values[line.targets[0].id] = ast.literal_eval(line.value)
        except ValueError as error:
            raise ParameterError(
                f"{path.name}: parameter `{ast.unparse(line)}` is not a literal"
            ) from error
    return values


def settings(notebook: str, profile: str) -> dict:
    """Every parameter of a notebook as a profile sets it: the notebook's defaults, then the profile's block."""
    _known("profile", profile, PROFILES)
    name, values = find_notebook(notebook).stem, declared(notebook)
    block = _yaml(project_root() / "notebooks" / "parameters" / f"{profile}.yaml").get(name) or {}
    for key in block:
        _known(f"parameter of {name} in parameters/{profile}.yaml:", key, values)
    return values | block | {"profile": profile}


def schema(notebook: str) -> dict:
    """Types and ranges of a notebook's parameters: ``{name: {type, min, max, above, below, choices, items, ...}}``."""
    table = _yaml(project_root() / "notebooks" / "parameters" / "schema.yaml")
    rules = table["common"] | (table.get(find_notebook(notebook).stem) or {})
    for name, rule in rules.items():
        for level in (rule, rule.get("items", {})):
            for key in level:
                _known(f"rule for {name} in parameters/schema.yaml:", key, _RULES)
            _known(f"type of {name} in parameters/schema.yaml:", level.get("type", "str"), _TYPES)
    return rules


def check(notebook: str, values: dict) -> None:
    """Refuse parameters that a notebook does not have, or values it cannot use. All problems go in one error.

    Raises ``ParameterError``; ``values`` may name some of the parameters only.

    >>> check("01", {"seeed": 1})
    Traceback (most recent call last):
    equilibria.companion.parameters.ParameterError: 01_one_over_x: no parameter 'seeed', did you mean 'seed'?...
    """
    name, rules = find_notebook(notebook).stem, schema(notebook)
    problems = []
    for key, value in values.items():
        if key not in rules:
            problems.append(
                f"no parameter {key!r}{_nearest(key, rules)}; there are {', '.join(rules)}"
            )
        else:
            problems += [
                f"{key} = {value!r}: {complaint}" for complaint in _complaints(value, rules[key])
            ]
    if problems:
        raise ParameterError("\n".join(f"{name}: {problem}" for problem in problems))


def _complaints(value, rule: dict) -> list[str]:
    """What is wrong with one value; a wrong type hides the rest."""
    kind = rule.get("type", "str")
    if not isinstance(value, _TYPES[kind]) or (isinstance(value, bool) and kind != "bool"):
        hint = (
            " (YAML reads 1e-3 as text: write 1.0e-3)"
            if kind == "float" and isinstance(value, str)
            else ""
        )
        return [f"must be of type {kind}, not {type(value).__name__}{hint}"]
    if kind == "float" and not math.isfinite(value):
        return ["must be finite"]
    if kind == "list":
        short = (
            [f"needs at least {rule['min_items']} entries"]
            if len(value) < rule.get("min_items", 0)
            else []
        )
        return short + [
            f"entry {entry!r} {text}"
            for entry in value
            for text in _complaints(entry, rule["items"])
        ]
    found = []
    if "choices" in rule and value not in rule["choices"]:
        found.append(
            f"must be one of {', '.join(map(str, rule['choices']))}{_nearest(value, rule['choices'])}"
        )
    for key, holds, text in (
        ("min", lambda bound: value >= bound, "at least"),
        ("max", lambda bound: value <= bound, "at most"),
        ("above", lambda bound: value > bound, "above"),
        ("below", lambda bound: value < bound, "below"),
    ):
        if key in rule and not holds(rule[key]):
            found.append(f"must be {text} {rule[key]}")
    return found


def _known(what: str, name: str, names) -> None:
    if name not in names:
        raise ParameterError(
            f"unknown {what} {name!r}{_nearest(name, names)}; there are {', '.join(sorted(names))}"
        )


def _nearest(name, names) -> str:
    close = difflib.get_close_matches(str(name), [str(n) for n in names], n=1)
    return f", did you mean {close[0]!r}?" if close else ""


def _yaml(path: Path) -> dict:
    """A YAML file; imported here so that a training machine without a YAML reader can use the rest."""
    import yaml

    return yaml.safe_load(path.read_text(encoding="utf-8")) or {}
