"""equilibria.companion.parameters: names of notebooks, their parameters, and what is refused."""

import pytest
from equilibria.companion import parameters
from equilibria.companion.parameters import ParameterError
from equilibria.paths import project_root


@pytest.mark.parametrize("name", ["01", "01_first", "notebooks/01_first.ipynb"])
def test_a_notebook_goes_by_number_name_or_path(sample, name):
    assert parameters.find_notebook(name) == sample.root / "notebooks" / "01_first.ipynb"


@pytest.mark.parametrize("name", ["3", "1", "01_frist", "_first", ""])
def test_an_unknown_notebook_is_refused_with_the_names_there_are(sample, name):
    with pytest.raises(ParameterError, match=r"there are 01_first, 02_second"):
        parameters.find_notebook(name)


def test_settings_are_the_defaults_then_the_profile(sample):
    assert parameters.profile_parameters("01", "quick") == parameters.declared("01")
    assert parameters.profile_parameters("01", "paper") == parameters.declared("01") | {
        "profile": "paper",
        "steps": 300,
    }
    assert parameters.profile_parameters("02", "paper")["steps"] == 3


def test_a_profile_cannot_set_what_a_notebook_does_not_have(sample):
    (sample.root / "notebooks/parameters/paper.yaml").write_text("01_first: {step: 300}\n")
    with pytest.raises(ParameterError, match=r"paper.yaml: 'step', did you mean 'steps'"):
        parameters.profile_parameters("01", "paper")
    with pytest.raises(ParameterError, match=r"unknown profile 'papr', did you mean 'paper'"):
        parameters.profile_parameters("01", "papr")


@pytest.mark.parametrize("line", ["size = 2 * 3", "a = b = 1", "import os", "size = len('abc')"])
def test_a_parameters_cell_holds_literals_only(sample, line):
    sample.notebook("01_first", "pass", parameters=line)
    with pytest.raises(ParameterError, match=r"01_first\.ipynb"):
        parameters.declared("01")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"eta": 2}, "eta = 2: must be below 1"),
        ({"eta": 0.0}, "eta = 0.0: must be above 0"),
        ({"eta": 1.0}, "eta = 1.0: must be below 1"),
        ({"eta": float("nan")}, "eta = nan: must be finite"),
        ({"eta": "1e-3"}, "must be of type float, not str .*1.0e-3"),
        ({"steps": 0}, "steps = 0: must be at least 1"),
        ({"steps": 2.0}, "must be of type int, not float"),
        ({"steps": True}, "must be of type int, not bool"),
        ({"sizes": [4, -1]}, "entry -1 must be at least 1"),
        ({"sizes": []}, "needs at least 1 entries"),
        ({"sizes": 4}, "must be of type list, not int"),
        ({"mode": "exakt"}, "must be one of fast, exact, did you mean 'exact'"),
        ({"verbose": 1}, "must be of type bool, not int"),
        ({"seed": -1}, "seed = -1: must be at least 0"),
        ({"device": "tpu"}, "must be one of cpu, cuda"),
        ({"profile": "medium"}, "must be one of quick, paper"),
        ({"ETA": 0.5}, "no parameter 'ETA'.*; there are"),
        ({"step": 3}, "no parameter 'step', did you mean 'steps'"),
    ],
)
def test_bad_values_are_refused(sample, values, message):
    with pytest.raises(ParameterError, match=message):
        parameters.check("01", values)


def test_every_problem_is_named_at_once(sample):
    with pytest.raises(ParameterError) as refused:
        parameters.check("01", {"eta": 2, "stepps": 1, "mode": "fast"})
    assert len(str(refused.value).splitlines()) == 2


def test_good_values_pass(sample):
    parameters.check(
        "01", {"eta": 0.999, "steps": 1, "sizes": [1], "mode": "exact", "verbose": True, "seed": 0}
    )


def test_a_misspelt_rule_is_an_error(sample):
    path = sample.root / "notebooks/parameters/schema.yaml"
    path.write_text(path.read_text().replace("above: 0", "abvoe: 0"))
    with pytest.raises(ParameterError, match="'abvoe', did you mean 'above'"):
        parameters.check("01", {})


def test_a_folder_without_notebooks_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("EQUILIBRIA_ROOT", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="holds no notebooks"):
        project_root()


HOSTILE = "eta; import os; os.system('touch trace')"


@pytest.mark.parametrize("key", [f'"{HOSTILE}"', "1", "2024-01-01", "yes", "'a b'"])
@pytest.mark.parametrize("file", ["paper", "schema"])
def test_a_key_of_yaml_is_a_name(sample, file, key):
    path = sample.root / f"notebooks/parameters/{file}.yaml"
    entry = "{type: int}" if file == "schema" else "1"
    start = path.read_text().replace("01_first:", "01_first_before:")
    path.write_text(start + f"\n01_first:\n  {key}: {entry}\n")
    with pytest.raises(ParameterError, match=rf"parameters/{file}\.yaml: 01_first: .* is no name"):
        parameters.check("01", parameters.profile_parameters("01", "paper"))


@pytest.mark.parametrize("text", ["a: [", "- 1", "01_first: 3", "\t: x"])
def test_a_damaged_yaml_is_one_line(sample, text):
    (sample.root / "notebooks/parameters/paper.yaml").write_text(text)
    with pytest.raises(ParameterError, match=r"parameters/paper\.yaml") as refused:
        parameters.profile_parameters("01", "paper")
    assert "\n" not in str(refused.value)


def test_a_misspelt_name_that_papermill_set_is_refused(sample):
    cells = ["eta = 0.5", "# Parameters\neta = 0.25\n", "etaa = 3"]
    parameters.check_injected("01_first", cells)
    message = "unknown parameter of 01_first: 'etaa', did you mean 'eta'"
    with pytest.raises(ParameterError, match=message):
        parameters.check_injected("01_first", [*cells, "# Parameters\netaa = 0.25\n"])
