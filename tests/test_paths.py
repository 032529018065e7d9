"""Where results go: to the judged ones only when they are made to be judged."""

import pytest
from equilibria import paths


@pytest.fixture
def project(sample, monkeypatch):
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    return sample.root


def test_a_notebook_in_jupyterlab_leaves_the_judged_results_alone(project, monkeypatch):
    assert paths.figures_folder() == project / "figures"
    monkeypatch.setenv("JPY_SESSION_NAME", "notebooks/01_first.ipynb")
    assert paths.figures_folder() == project / "build/jupyterlab"


def test_a_folder_that_is_asked_for_comes_first(project, monkeypatch, tmp_path):
    monkeypatch.setenv("JPY_SESSION_NAME", "notebooks/01_first.ipynb")
    monkeypatch.setenv("EQUILIBRIA_FIGURES", str(tmp_path / "elsewhere"))
    assert paths.figures_folder() == tmp_path / "elsewhere"
