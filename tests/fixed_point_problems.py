"""Fixed-point problems with their answers: each owns its exact solution, and its rate or known failures where it has them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Problem:
    G: Callable[[Tensor, Tensor], Tensor]
    y0: Tensor
    x: Tensor
    exact: Tensor
    rate: float | None = None  # contraction factor of Picard, where it is known


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def orthogonal(n: int, seed: int) -> Tensor:
    return torch.linalg.qr(torch.randn(n, n, generator=generator(seed), dtype=torch.float64))[0]


def symmetric(
    *,
    n: int = 200,
    batch: int = 1,
    least: float = 0.0,
    largest: float = 0.99,
    seed: int = 0,
    dtype=torch.float64,
) -> Problem:
    """Linear, symmetric, spectrum spread evenly over [least, largest]. One product per sample: no rounding shared in the batch."""
    q, spectrum = orthogonal(n, seed), torch.linspace(least, largest, n, dtype=torch.float64)
    x = torch.randn(batch, n, generator=generator(seed + 100), dtype=torch.float64)
    exact = (x @ q / (1 - spectrum)) @ q.T
    a = ((q * spectrum) @ q.T).to(dtype)
    G = lambda y, x: (a * y[:, None]).sum(2) + x
    return Problem(
        G,
        torch.zeros(batch, n, dtype=dtype),
        x.to(dtype),
        exact.to(dtype),
        max(abs(least), abs(largest)),
    )


def rotation(*, batch: int = 4, radius: float = 0.9, seed: int = 0) -> Problem:
    """Linear, far from symmetric: rotations of planes by many angles, all shrinking by `radius`."""
    angle = torch.linspace(0.1, 3.0, 20, dtype=torch.float64)
    a = torch.block_diag(
        *[
            radius * torch.tensor([[t.cos(), -t.sin()], [t.sin(), t.cos()]], dtype=torch.float64)
            for t in angle
        ]
    )
    x = torch.randn(batch, 40, generator=generator(seed), dtype=torch.float64)
    exact = torch.linalg.solve(torch.eye(40, dtype=torch.float64) - a, x.T).T
    return Problem(lambda y, x: (a * y[:, None]).sum(2) + x, torch.zeros_like(x), x, exact, radius)


def reciprocal(x: list[float], *, eta: float = 0.5) -> Problem:
    """1 / x by G = y - eta (x y - 1) (paper, section 2)."""
    x = torch.tensor(x, dtype=torch.float64)[:, None]
    return Problem(lambda y, x: y - eta * (x * y - 1), torch.zeros_like(x), x, 1 / x)


def cubic(*, batch: int = 8, n: int = 30, steep: float = 1.0, seed: int = 0) -> Problem:
    """Not linear, made from its answer: G = x - steep * (y + y^3 / 3) with slopes -steep (1 + y^2): expansive for steep >= 1."""
    exact = torch.randn(batch, n, generator=generator(seed), dtype=torch.float64)
    force = lambda y: steep * torch.linspace(0.2, 1, n, dtype=torch.float64) * (y + y**3 / 3)
    return Problem(lambda y, x: x - force(y), torch.zeros_like(exact), exact + force(exact), exact)


def two_sided(*, batch: int = 6, n: int = 40, seed: int = 0) -> Problem:
    """Linear with slopes from -4 to 0.5: Picard diverges, the fixed point is unique."""
    slope = torch.linspace(-4, 0.5, n, dtype=torch.float64)
    x = torch.randn(batch, n, generator=generator(seed), dtype=torch.float64)
    return Problem(lambda y, x: slope * y + x, torch.zeros_like(x), x, x / (1 - slope))


def relative_error(y: Tensor, exact: Tensor) -> Tensor:
    """(B,)"""
    return (y - exact).flatten(1).norm(dim=1) / exact.flatten(1).norm(dim=1)
