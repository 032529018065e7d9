"""Trainings of a few steps, in a folder of their own."""

import pytest
from equilibria.studies.language.reasoning import training as reasoning_training


@pytest.fixture
def quick(tmp_path, monkeypatch):
    """The data folder of a profile `quick` of four steps with small batches."""
    monkeypatch.setenv("EQUILIBRIA_DATA", str(tmp_path))
    monkeypatch.setattr(reasoning_training, "STEPS", {"quick": {"parity": 4, "sums": 4}})
    monkeypatch.setattr(reasoning_training, "BATCH", 4)
    return tmp_path
