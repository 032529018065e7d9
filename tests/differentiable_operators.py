"""Two contractions with parameters, for tests of gradients."""

from __future__ import annotations

import torch
from fixed_point_problems import generator
from torch import Tensor

BATCH, N = 3, 6


class Linear(torch.nn.Module):
    """G(y, x) = A y + x with |A| = 0.7."""

    def __init__(self) -> None:
        super().__init__()
        a = torch.randn(N, N, generator=generator(0), dtype=torch.float64)
        self.a = torch.nn.Parameter(0.7 * a / torch.linalg.matrix_norm(a, 2))
        self.unused = torch.nn.Parameter(torch.ones(2, dtype=torch.float64))

    def forward(self, y: Tensor, x: Tensor) -> Tensor:
        return y @ self.a.T + x


class Network(torch.nn.Module):
    """G(y, x) = tanh(W y + U x + b), a contraction of modulus 0.6."""

    def __init__(self) -> None:
        super().__init__()
        w, u = torch.randn(2, N, N, generator=generator(1), dtype=torch.float64)
        self.w = torch.nn.Parameter(0.6 * w / torch.linalg.matrix_norm(w, 2))
        self.u = torch.nn.Parameter(u)
        self.b = torch.nn.Parameter(torch.full((N,), 0.1, dtype=torch.float64))

    def forward(self, y: Tensor, x: Tensor) -> Tensor:
        return torch.tanh(y @ self.w.T + x @ self.u.T + self.b)


def draw(seed: int) -> Tensor:
    """A random batch (BATCH, N); by convention x has seed 2, and the weights of the loss 3."""
    return torch.randn(BATCH, N, generator=generator(seed), dtype=torch.float64)


def inverse_of_residual(a: Tensor) -> Tensor:
    """(1 - A)^-1, dense."""
    return torch.linalg.inv(torch.eye(N, dtype=torch.float64) - a)
