"""Targets that are locally but not globally Lipschitz (paper, section 2): examples for Theorem 2.4.

===========  ==========================================================================
``F(x)``     the target, (B, d) -> (B, n)
``L(x, r)``  a bound on the Lipschitz constant of F within distance r of x, (B,)
``slope``    the exact spectral norm of dF/dx, (B,)
``near(s)``  points at distance s (B,) from each singularity, (m B, d) for m singularities
===========  ==========================================================================

`TARGETS` holds the target of Fig. 1, the paper's other examples, and one target in two dimensions.
`SIGN` and `smooth_sign` lie at the edge of the theory and beyond it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import cos, pi, sin

import torch
from torch import Tensor

from equilibria.checks import require

__all__ = ["SIGN", "TARGETS", "Target", "paper_step", "smooth_sign"]


@dataclass(frozen=True)
class Target:
    """A target, what is known about its steepness, and where it is steep.

    label            how figures and tables name it
    F                the target, (B, d) -> (B, n)
    local_lipschitz  (x (B, d), rho (B,)) -> (B,), a bound on the Lipschitz constant of F within
                     distance rho of x; infinite where there is none
    slope            x (B, d) -> (B,), the exact |dF/dx|
    near             s (B,) -> (m B, d), points at distance s from each of its m singularities
    """

    label: str
    F: Callable[[Tensor], Tensor]
    local_lipschitz: Callable[[Tensor, Tensor], Tensor]
    slope: Callable[[Tensor], Tensor]
    near: Callable[[Tensor], Tensor]


def _gap(distance: Tensor, rho: Tensor) -> Tensor:
    """The distance from the singularity to a ball of radius rho; 0 where the ball contains it."""
    return (distance - rho).clamp(min=0)


def _above_zero(s: Tensor) -> Tensor:
    """Points right of a singularity at 0, (B,) -> (B, 1)."""
    return s[:, None]


def _around_zero(s: Tensor) -> Tensor:
    """Points on both sides of a singularity at 0, (B,) -> (2 B, 1)."""
    return torch.cat([s, -s])[:, None]


# ---- Fig. 1: -x on (-2, 0), 1/x + 1/(x - 1) on (0, 1), 1/(x - 1) - 1/x on (1, 3)
def _figure_1(x: Tensor) -> Tensor:
    right = torch.where(x < 1, 1 / x + 1 / (x - 1), 1 / (x - 1) - 1 / x)
    return torch.where(x < 0, -x, right)


def _figure_1_slope(x: Tensor) -> Tensor:
    x = x[:, 0]
    a = 1 / x**2
    b = 1 / (x - 1) ** 2
    right = torch.where(x < 1, a + b, (b - a).abs())
    return torch.where(x < 0, torch.ones_like(x), right)


def _figure_1_bound(x: Tensor, rho: Tensor) -> Tensor:
    # Both terms of the slope are at most gap^-2; the piece on the left has slope 1.
    distance = torch.minimum(x[:, 0].abs(), (x[:, 0] - 1).abs())
    return 1 + 2 * _gap(distance, rho) ** -2


def _figure_1_near(s: Tensor) -> Tensor:
    return torch.cat([s / 2, 1 - s / 2, 1 + s])[:, None]


def paper_step(x: Tensor) -> Tensor:
    """The paper's own step for Fig. 1, eps(x) = min(0.5, x^2 (x - 1)^2), (B, 1) -> (B,)."""
    return (x**2 * (x - 1) ** 2).clamp(max=0.5)[:, 0]


# ---- 1/x
def _reciprocal(x: Tensor) -> Tensor:
    return 1 / x


def _reciprocal_bound(x: Tensor, rho: Tensor) -> Tensor:
    bound: Tensor = _gap(x[:, 0].abs(), rho) ** -2
    return bound


def _reciprocal_slope(x: Tensor) -> Tensor:
    slope: Tensor = x[:, 0] ** -2
    return slope


# ---- tan x on (-pi/2, pi/2)
def _tan_bound(x: Tensor, rho: Tensor) -> Tensor:
    # cos(x)^-2 at the point of the ball that is nearest to an end: cos(pi/2 - gap) = sin(gap)
    bound: Tensor = torch.sin(_gap(pi / 2 - x[:, 0].abs(), rho)) ** -2
    return bound


def _tan_slope(x: Tensor) -> Tensor:
    slope: Tensor = torch.cos(x[:, 0]) ** -2
    return slope


def _tan_near(s: Tensor) -> Tensor:
    return torch.cat([pi / 2 - s, s - pi / 2])[:, None]


# ---- log x
def _log_bound(x: Tensor, rho: Tensor) -> Tensor:
    return 1 / _gap(x[:, 0], rho)


def _log_slope(x: Tensor) -> Tensor:
    return 1 / x[:, 0]


# ---- the gamma function
def _gamma(x: Tensor) -> Tensor:
    return torch.exp(torch.lgamma(x))


def _gamma_derivative(x: Tensor) -> Tensor:
    """|Gamma'(x)| of any x > 0, elementwise."""
    return (_gamma(x) * torch.digamma(x)).abs()


def _gamma_bound(x: Tensor, rho: Tensor) -> Tensor:
    # The gamma function is convex, so its slope is largest at an end of the interval.
    left = _gamma_derivative(_gap(x[:, 0], rho))
    right = _gamma_derivative(x[:, 0] + rho)
    return torch.maximum(left, right)


def _gamma_slope(x: Tensor) -> Tensor:
    return _gamma_derivative(x[:, 0])


# ---- the square root
def _sqrt_bound(x: Tensor, rho: Tensor) -> Tensor:
    return 0.5 * _gap(x[:, 0], rho) ** -0.5


def _sqrt_slope(x: Tensor) -> Tensor:
    return 0.5 * x[:, 0] ** -0.5


# ---- inversion in the unit circle, x / |x|^2 in two dimensions
def _inversion(x: Tensor) -> Tensor:
    return x / (x**2).sum(1, keepdim=True)


def _inversion_bound(x: Tensor, rho: Tensor) -> Tensor:
    bound: Tensor = _gap(x.norm(dim=1), rho) ** -2
    return bound


def _inversion_slope(x: Tensor) -> Tensor:
    slope: Tensor = x.norm(dim=1) ** -2
    return slope


def _inversion_near(s: Tensor) -> Tensor:
    direction = torch.tensor([[cos(0.7), sin(0.7)]], dtype=s.dtype, device=s.device)
    return s[:, None] * direction


TARGETS = {
    "two_singularities": Target(
        "Fig. 1", _figure_1, _figure_1_bound, _figure_1_slope, _figure_1_near
    ),
    "reciprocal": Target("1/x", _reciprocal, _reciprocal_bound, _reciprocal_slope, _around_zero),
    "tan": Target("tan x", torch.tan, _tan_bound, _tan_slope, _tan_near),
    "log": Target("log x", torch.log, _log_bound, _log_slope, _above_zero),
    "gamma": Target("Γ(x)", _gamma, _gamma_bound, _gamma_slope, _above_zero),
    "sqrt": Target("√x", torch.sqrt, _sqrt_bound, _sqrt_slope, _above_zero),
    "inversion": Target(
        "x/|x|² in 2-D", _inversion, _inversion_bound, _inversion_slope, _inversion_near
    ),
}


# ---- the edge of the theory
def _sign_bound(x: Tensor, rho: Tensor) -> Tensor:
    # sign is constant away from 0; any bound that rises to infinity at 0 will do.
    return 1 / _gap(x[:, 0].abs(), rho)


def _sign_slope(x: Tensor) -> Tensor:
    return torch.zeros_like(x[:, 0])


# Locally Lipschitz away from 0 only: near 0 no bound is finite, so the step eps(0) is 0.
SIGN = Target("sign x", torch.sign, _sign_bound, _sign_slope, _around_zero)


def smooth_sign(width: float) -> Target:
    """The target tanh(x / width), which tends to sign x as the width tends to 0.

    It is Lipschitz with constant 1 / width for every width > 0.
    Raises ValueError for a width that is not positive.
    """
    require(width > 0, "width", width, "positive")

    def value(x: Tensor) -> Tensor:
        return torch.tanh(x / width)

    def bound(x: Tensor, rho: Tensor) -> Tensor:
        steepest: Tensor = torch.cosh(_gap(x[:, 0].abs(), rho) / width) ** -2
        return steepest / width

    def slope(x: Tensor) -> Tensor:
        here: Tensor = torch.cosh(x[:, 0] / width) ** -2
        return here / width

    return Target(f"tanh(x/{width:g})", value, bound, slope, _around_zero)
