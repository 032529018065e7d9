"""The notebooks as files: anatomy, parameters, stored outputs. That they run and hold is nbval's work (`make test`)."""

import ast
import re

import nbformat
import pytest
import yaml
from conftest import HOME
from equilibria.companion import parameters as project

NOTEBOOKS = sorted((HOME / "notebooks").glob("*.ipynb"))
each = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def cells(path, kind="code"):
    return [
        cell
        for cell in nbformat.read(path, as_version=4).cells
        if cell.cell_type == kind and cell.source.strip()
    ]


@each
def test_first_cells(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "python3"
    assert notebook.cells[0].cell_type == "markdown" and notebook.cells[0].source.startswith("# ")
    parameters, setup = cells(path)[:2]
    assert parameters.metadata.tags == ["parameters"]
    assert "results.start(" in setup.source and "filterwarnings" not in setup.source
    assert "run.finish()" in cells(path)[-1].source


@each
def test_parameters_are_the_schema_and_every_profile_passes(path):
    declared = project.declared(path.stem)
    assert (
        list(declared)[:3] == ["profile", "seed", "device"]
        and declared["profile"] == "quick"
        and declared["device"] == "cpu"
    )
    assert set(project.schema(path.stem)) == set(declared)
    for profile in project.PROFILES:
        project.check(path.stem, project.settings(path.stem, profile))


@each
def test_each_parameter_says_what_it_is(path):
    for line in cells(path)[0].source.splitlines():
        if "=" in line.partition("#")[0]:
            assert line.partition("#")[2].strip(), f"no comment: {line}"


def out_of_range(path):
    for name, rule in project.schema(path.stem).items():
        for level, wrap in (
            (rule, lambda value: value),
            (rule.get("items", {}), lambda value: [value]),
        ):
            bounds = {"min": -1, "above": 0, "max": 1, "below": 0}
            yield from (
                (name, wrap(level[key] + step)) for key, step in bounds.items() if key in level
            )
        yield name, [object()]


@each
def test_no_parameter_is_accepted_out_of_its_range(path):
    for name, value in out_of_range(path):
        with pytest.raises(project.ParameterError, match=name):
            project.check(path.stem, {name: value})


@each
def test_numbers_have_a_range(path):
    for name, rule in project.schema(path.stem).items():
        level = rule.get("items", rule) if rule["type"] == "list" else rule
        if level["type"] in ("int", "float"):
            assert {"min", "above"} & set(level), f"{name} has no lower bound"


@each
def test_outputs_are_stored_and_none_is_an_error(path):
    code = cells(path)
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1)), (
        "run from top to bottom, counts kept"
    )
    outputs = [output for cell in code for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error"]
    assert any("image/png" in output.get("data", {}) for output in outputs), (
        "a notebook without a picture"
    )
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"/home/\w|/root[/]|/tmp/", text) and str(HOME) not in text, (
        "a path of one machine"
    )


@each
def test_claims_are_asserted_and_errors_are_caught(path):
    code = cells(path)
    assert any(
        isinstance(node, ast.Assert)
        for cell in code
        for node in ast.walk(ast.parse(strip_magics(cell.source)))
    )
    assert not [cell for cell in code if "raises-exception" in cell.metadata.get("tags", [])], (
        "papermill fails on this tag"
    )


def strip_magics(source):
    return re.sub(r"^\s*[%!].*$", "", source, flags=re.MULTILINE)


@each
def test_figures_and_results_are_those_of_the_quick_profile(path):
    folder = HOME / "figures/quick" / path.stem
    assert (
        (folder / "results.json").is_file()
        and (folder / "provenance.json").is_file()
        and list(folder.glob("*.png"))
    )
    calls = [
        node
        for cell in cells(path)
        for node in ast.walk(ast.parse(strip_magics(cell.source)))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "figures.save"
    ]
    assert {picture.stem for picture in folder.glob("*.png")} == {
        call.args[2].value for call in calls
    }, "a figure that no cell makes, or one missing"


def test_no_block_is_left_of_a_notebook_that_is_gone():
    for name in ("schema", *project.PROFILES):
        blocks = yaml.safe_load((HOME / f"notebooks/parameters/{name}.yaml").read_text()) or {}
        assert set(blocks) <= {path.stem for path in NOTEBOOKS} | {"common"}
