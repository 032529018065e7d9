"""A package of studies with one case, in place of the project's own."""

import sys
import types

import equilibria
import pytest
import torch
from equilibria.training.records import CaseRecords
from torch import nn


class Study(types.ModuleType):
    """The case ``sample``: two small models, of which `trained` and `evaluated` note the calls."""

    def __init__(self):
        super().__init__("equilibria.studies.sample")
        self.RECORDS = CaseRecords("sample", "quick", lambda name, profile: nn.Linear(1, 1))
        self.trained = []
        self.evaluated = []
        self.complete = True

    def names(self, profile):
        return ["small", "large"] if profile == "quick" else []

    def new(self, name, *, profile, seed):
        return nn.Linear(1000, 1000, bias=False) if name == "large" else nn.Linear(1, 1)

    def train(self, name, **options):
        self.trained.append((name, options))

    def evaluate_all(self, **options):
        self.evaluated.append(options)
        return self.complete


@pytest.fixture
def study(monkeypatch, tmp_path):
    """The only case of the project; its modules are in sys.modules, its data in a folder."""
    (tmp_path / "sample.py").write_text("")
    package = types.ModuleType("equilibria.studies")
    package.__path__ = [str(tmp_path)]
    study = Study()
    monkeypatch.setattr(equilibria, "studies", package, raising=False)
    monkeypatch.setitem(sys.modules, "equilibria.studies", package)
    monkeypatch.setitem(sys.modules, study.__name__, study)
    monkeypatch.setenv("EQUILIBRIA_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    return study
