"""An operator whose iterates are known, and the programs that these tests share."""

import pytest
import torch
from equilibria.problems import linear_programs
from equilibria.studies.linear_programs import programs as splits_of_programs
from torch import nn


@pytest.fixture(scope="session")
def programs():
    return linear_programs.generate(20, seed=9, progress=False)


@pytest.fixture
def few_programs(tmp_path, monkeypatch):
    """A data folder of its own, and 12, 6 and 5 programs in the profile `quick`."""
    monkeypatch.setenv("EQUILIBRIA_DATA", str(tmp_path))
    counts = splits_of_programs.Counts(training=12, validation=6, test=5)
    monkeypatch.setitem(splits_of_programs.COUNTS, "quick", counts)


class Halfway(nn.Module):
    """G(y, x) = y + (u - y) / 2, so that y_t = (1 - 2^-t) u."""

    def encode(self, x):
        return x

    def start(self, x):
        return torch.zeros_like(x.u)

    def forward(self, y, x):
        return y + 0.5 * (x.u - y)


@pytest.fixture
def halfway():
    return Halfway()
