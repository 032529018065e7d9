"""`equilibria notebook`: what is refused before a kernel starts."""

import papermill
import pytest
from equilibria.companion.command_line import main


@pytest.fixture
def executed(monkeypatch):
    """The parameters that reach papermill, which executes nothing."""
    parameters = []

    def execute_notebook(path, copy, **options):
        parameters.append(options["parameters"])
        with open(copy, "w"):
            pass

    monkeypatch.setattr(papermill, "execute_notebook", execute_notebook)
    return parameters


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["01", "-p", "eta=2"], "eta = 2.0: must be below 1"),
        (["01", "-p", "steps=0"], "steps = 0: must be at least 1"),
        (["01", "-p", "sizes=[-4]"], "entry -4 must be at least 1"),
        (["01", "-p", "steps=three"], "steps = 'three': must be of type int"),
        (["01", "-p", "steps=1e3"], "must be of type int, not float"),
        (["01", "-p", "stepps=3"], "no parameter 'stepps', did you mean 'steps'"),
        (["01", "--profile", "paper", "-p", "sed=1"], "did you mean 'seed'"),
        (["01", "-p", "profile=paper"], "choose the profile with --profile"),
        (["7"], "no notebook '7'; there are 01_first, 02_second"),
    ],
)
def test_a_bad_parameter_is_refused_before_a_kernel_starts(
    sample, executed, capsys, words, message
):
    assert main(["notebook", *words]) == 2
    assert message in capsys.readouterr().err
    assert executed == []
    assert not (sample.root / "build").exists() and not (sample.root / "figures").exists()


def test_good_parameters_reach_papermill(sample, executed):
    words = ["-p", "eta=0.9", "-p", "verbose=true", "-p", "sizes=[1, 2]", "-p", "mode=exact"]
    assert main(["notebook", "01", *words]) == 0
    (parameters,) = executed
    assert parameters["eta"] == 0.9
    assert parameters["verbose"] is True
    assert parameters["sizes"] == [1, 2]
    assert parameters["mode"] == "exact"


def test_a_notebook_that_fails_is_named(sample, executed, monkeypatch, capsys):
    from equilibria.companion import notebook_runner

    def run(name, **options):
        raise notebook_runner.NotebookFailed("01_first.ipynb stopped")

    monkeypatch.setattr(notebook_runner, "run", run)
    assert main(["notebook", "01"]) == 1
    assert capsys.readouterr().err == "equilibria: 01_first.ipynb stopped\n"
