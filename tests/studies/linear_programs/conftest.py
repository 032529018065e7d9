"""An operator whose iterates are known, and the programs that these tests share."""

import pytest
import torch
from equilibria.problems import linear_programs
from torch import nn


@pytest.fixture(scope="session")
def programs():
    return linear_programs.generate(20, seed=9, progress=False)


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
