"""Targets that are locally but not globally Lipschitz, each with its local bound: what Theorem 2.4 is shown on (section 2).

    F(x)        (B, d) -> (B, n)                     L(x, rho)   bound on F's Lipschitz constant within rho of x, (B,)
    slope(x)    |dF/dx|, exact, (B,)                 near(s)     points at distance s from a singularity, (B, d)

`TARGETS` holds Fig. 1's target, the paper's examples and a two-dimensional one; `SIGN` and `smooth_sign` leave the theory.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import cos, pi, sin

import torch
from torch import Tensor

__all__ = ["SIGN", "TARGETS", "Target", "paper_step", "smooth_sign"]


@dataclass(frozen=True)
class Target:
    """A target with its local Lipschitz bound, exact slope, and the way towards its singularity. Shapes: module header."""

    label: str
    F: Callable[[Tensor], Tensor]
    local_lipschitz: Callable[[Tensor, Tensor], Tensor]
    slope: Callable[[Tensor], Tensor]
    near: Callable[[Tensor], Tensor]


def _gap(distance: Tensor, rho: Tensor) -> Tensor:
    """How near to the singularity a ball of radius rho comes; 0 where it reaches it, and the bound is then infinite."""
    return (distance - rho).clamp(min=0)


def _column(s: Tensor) -> Tensor:
    return s[:, None]


# Fig. 1: -x on (-2, 0); 1/x + 1/(x-1) on (0, 1); 1/(x-1) - 1/x on (1, 3).
def _figure_1(x: Tensor) -> Tensor:
    return torch.where(x < 0, -x, torch.where(x < 1, 1 / x + 1 / (x - 1), 1 / (x - 1) - 1 / x))


def _figure_1_slope(x: Tensor) -> Tensor:
    x = x[:, 0]
    a, b = 1 / x**2, 1 / (x - 1) ** 2
    return torch.where(x < 0, torch.ones_like(x), torch.where(x < 1, a + b, (b - a).abs()))


def _figure_1_bound(x: Tensor, rho: Tensor) -> Tensor:
    return 1 + 2 * _gap(torch.minimum(x[:, 0].abs(), (x[:, 0] - 1).abs()), rho) ** -2


def paper_step(x: Tensor) -> Tensor:
    """The paper's own step for Fig. 1, eps(x) = min(0.5, x^2 (x - 1)^2). (B, 1) -> (B,)"""
    return (x**2 * (x - 1) ** 2).clamp(max=0.5)[:, 0]


def _gamma(x: Tensor) -> Tensor:
    return torch.exp(torch.lgamma(x))


def _gamma_slope(x: Tensor) -> Tensor:
    return (_gamma(x) * torch.digamma(x)).abs()


def _inversion(x: Tensor) -> Tensor:
    return x / (x**2).sum(1, keepdim=True)


TARGETS = {
    "two_singularities": Target(
        "Fig. 1",
        _figure_1,
        _figure_1_bound,
        _figure_1_slope,
        lambda s: _column(torch.cat([s / 2, 1 - s / 2, 1 + s])),
    ),
    "reciprocal": Target(
        "1/x",
        lambda x: 1 / x,
        lambda x, rho: _gap(x[:, 0].abs(), rho) ** -2,
        lambda x: x[:, 0] ** -2,
        lambda s: _column(torch.cat([s, -s])),
    ),
    "tan": Target(
        "tan x",
        torch.tan,
        lambda x, rho: torch.sin(_gap(pi / 2 - x[:, 0].abs(), rho)) ** -2,
        lambda x: torch.cos(x[:, 0]) ** -2,
        lambda s: _column(torch.cat([pi / 2 - s, s - pi / 2])),
    ),
    "log": Target(
        "log x", torch.log, lambda x, rho: 1 / _gap(x[:, 0], rho), lambda x: 1 / x[:, 0], _column
    ),
    "gamma": Target(
        "Γ(x)",
        _gamma,  # convex: its slope is largest at an end of the interval
        lambda x, rho: torch.maximum(_gamma_slope(_gap(x[:, 0], rho)), _gamma_slope(x[:, 0] + rho)),
        lambda x: _gamma_slope(x[:, 0]),
        _column,
    ),
    "sqrt": Target(
        "√x",
        torch.sqrt,
        lambda x, rho: 0.5 * _gap(x[:, 0], rho) ** -0.5,
        lambda x: 0.5 * x[:, 0] ** -0.5,
        _column,
    ),
    "inversion": Target(
        "x/|x|² in 2-D",
        _inversion,
        lambda x, rho: _gap(x.norm(dim=1), rho) ** -2,
        lambda x: x.norm(dim=1) ** -2,
        lambda s: _column(s) * torch.tensor([[cos(0.7), sin(0.7)]], dtype=s.dtype, device=s.device),
    ),
}

# Locally Lipschitz away from 0 only: on an interval that contains 0 no bound is finite there, and r(0) = 0.
SIGN = Target(
    "sign x",
    torch.sign,
    lambda x, rho: 1 / _gap(x[:, 0].abs(), rho),
    lambda x: torch.zeros_like(x[:, 0]),
    lambda s: _column(torch.cat([s, -s])),
)


def smooth_sign(width: float) -> Target:
    """tanh(x / width): Lipschitz for every width > 0, with constant 1 / width; sign in the limit. Raises ValueError for width <= 0."""
    if not width > 0:
        raise ValueError(f"width must be positive, got {width!r}")
    return Target(
        f"tanh(x/{width:g})",
        lambda x: torch.tanh(x / width),
        lambda x, rho: torch.cosh(_gap(x[:, 0].abs(), rho) / width) ** -2 / width,
        lambda x: torch.cosh(x[:, 0] / width) ** -2 / width,
        lambda s: _column(torch.cat([s, -s])),
    )
