"""Looped models whose answers and constants are known, and small ones, for tests of the study."""

import dataclasses

import torch
from looped_models import REASONING
from torch import nn
from torch.nn import functional

TINY = dataclasses.replace(REASONING, vocabulary=3, hidden=16, context=4096)


class Wave(nn.Module):
    """z_i <- (z_{i-1} + x_i) mod 2: after t loops, the parity of the last t symbols.

    It is right at position i from t = i on.
    """

    def __init__(self):
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))

    def encode(self, tokens):
        return torch.where(tokens < 2, tokens, 0)[..., None].double()

    def start(self, x):
        return torch.zeros_like(x)

    def forward(self, z, x):
        return (functional.pad(z, (0, 0, 1, 0))[:, :-1] + x) % 2

    def decode(self, z):
        return torch.cat([1 - z, z, z - 9], -1)


class Linear(nn.Module):
    """G(z, x) = a z + b x with logits 3 z: every constant is known."""

    def __init__(self, a=0.5, b=2.0):
        super().__init__()
        self.a, self.b = nn.Parameter(torch.tensor(a, dtype=torch.float64)), b

    def encode(self, tokens):
        return torch.stack([tokens.double(), tokens.double() ** 2], -1)

    def start(self, x):
        return torch.zeros_like(x)

    def forward(self, z, x):
        return self.a * z + self.b * x

    def decode(self, z, where):
        return 3 * z[where]
