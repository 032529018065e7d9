"""Fixed-point problems with answers: each owns its solution, and its rate where that is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

FLOAT = torch.float64


@dataclass(frozen=True)
class Problem:
    """Y = G(y, x) from y0."""

    G: Callable[[Tensor, Tensor], Tensor]
    y0: Tensor
    x: Tensor
    exact: Tensor
    rate: float | None = None  # contraction factor of Picard, where it is known


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def orthogonal(n: int, seed: int) -> Tensor:
    return torch.linalg.qr(torch.randn(n, n, generator=generator(seed), dtype=FLOAT))[0]


def symmetric(
    *,
    n: int = 200,
    batch: int = 1,
    least: float = 0.0,
    largest: float = 0.99,
    seed: int = 0,
    dtype: torch.dtype = FLOAT,
) -> Problem:
    """Linear and symmetric, its spectrum spread evenly over [least, largest].

    Each sample has a product of its own, so that no rounding is shared in the batch.
    """
    q = orthogonal(n, seed)
    spectrum = torch.linspace(least, largest, n, dtype=FLOAT)
    x = torch.randn(batch, n, generator=generator(seed + 100), dtype=FLOAT)
    exact = (x @ q / (1 - spectrum)) @ q.T
    a = ((q * spectrum) @ q.T).to(dtype)

    def G(y: Tensor, x: Tensor) -> Tensor:
        return (a * y[:, None]).sum(2) + x

    y0 = torch.zeros(batch, n, dtype=dtype)
    rate = max(abs(least), abs(largest))
    return Problem(G, y0, x.to(dtype), exact.to(dtype), rate)


def rotation(*, batch: int = 4, radius: float = 0.9, seed: int = 0) -> Problem:
    """Linear, far from symmetric: planes rotate by many angles, and all shrink by `radius`."""
    planes = []
    for angle in torch.linspace(0.1, 3.0, 20, dtype=FLOAT):
        cos, sin = angle.cos(), angle.sin()
        planes.append(radius * torch.tensor([[cos, -sin], [sin, cos]], dtype=FLOAT))
    a = torch.block_diag(*planes)
    x = torch.randn(batch, 40, generator=generator(seed), dtype=FLOAT)
    exact = torch.linalg.solve(torch.eye(40, dtype=FLOAT) - a, x.T).T

    def G(y: Tensor, x: Tensor) -> Tensor:
        return (a * y[:, None]).sum(2) + x

    return Problem(G, torch.zeros_like(x), x, exact, radius)


def reciprocal(x: list[float], *, eta: float = 0.5) -> Problem:
    """1 / x by G = y - eta (x y - 1) (paper, section 2)."""
    column = torch.tensor(x, dtype=FLOAT)[:, None]

    def G(y: Tensor, x: Tensor) -> Tensor:
        return y - eta * (x * y - 1)

    return Problem(G, torch.zeros_like(column), column, 1 / column)


def cubic(*, batch: int = 8, n: int = 30, steep: float = 1.0, seed: int = 0) -> Problem:
    """Not linear, made from its answer: G = x - steep (y + y^3 / 3).

    Its slopes -steep (1 + y^2) make it expansive for steep >= 1.
    """
    exact = torch.randn(batch, n, generator=generator(seed), dtype=FLOAT)

    def force(y: Tensor) -> Tensor:
        return steep * torch.linspace(0.2, 1, n, dtype=FLOAT) * (y + y**3 / 3)

    def G(y: Tensor, x: Tensor) -> Tensor:
        return x - force(y)

    return Problem(G, torch.zeros_like(exact), exact + force(exact), exact)


def two_sided(*, batch: int = 6, n: int = 40, seed: int = 0) -> Problem:
    """Linear with slopes from -4 to 0.5: Picard diverges, the fixed point is unique."""
    slope = torch.linspace(-4, 0.5, n, dtype=FLOAT)
    x = torch.randn(batch, n, generator=generator(seed), dtype=FLOAT)

    def G(y: Tensor, x: Tensor) -> Tensor:
        return slope * y + x

    return Problem(G, torch.zeros_like(x), x, x / (1 - slope))


def mixed(batch: int = 32) -> Problem:
    """Another nonlinear contraction per sample, some of them much slower; no answer is known."""
    slope = torch.linspace(0.1, 0.97, batch, dtype=FLOAT)[:, None]
    twist = torch.randn(batch, 24, generator=generator(3), dtype=FLOAT)
    x = torch.cat([slope, twist], dim=1)

    def G(y: Tensor, x: Tensor) -> Tensor:
        return x[:, :1] * torch.sin(y.roll(1, dims=1)) + x[:, 1:]

    return Problem(G, torch.zeros_like(twist), x, torch.full_like(twist, torch.nan))


def dense(problem: Problem) -> Tensor:
    """The matrix (n, n) of a linear problem of one sample."""
    n = problem.y0.shape[1]
    zero = torch.zeros(1, n, dtype=FLOAT)
    columns = [problem.G(unit[None], zero)[0] for unit in torch.eye(n, dtype=FLOAT)]
    return torch.stack(columns, dim=1)


def relative_error(y: Tensor, exact: Tensor) -> Tensor:
    """|y - exact| / |exact| per sample, (B,)."""
    return (y - exact).flatten(1).norm(dim=1) / exact.flatten(1).norm(dim=1)


def relative_residual(problem: Problem, y: Tensor) -> Tensor:
    """|G(y, x) - y| / |G(y, x)| per sample, (B,)."""
    g = problem.G(y, problem.x)
    return (g - y).flatten(1).norm(dim=1) / g.flatten(1).norm(dim=1)
