"""1/x as an equilibrium: a singular and a regular operator with the same fixed point (paper, section 2).

    x     (B, ...) nonzero inputs          y     (B, ...) state, output; the fixed point is 1/x
    eta   step size in (0, 1)              t     iteration, y_0 = 0
    G     operator, y_t = G(y_{t-1}, x)    mu    contraction modulus of y -> G(y, x)

Everything acts elementwise, in the dtype and on the device of `x`.
"""

from dataclasses import dataclass
from math import comb, isfinite

import torch
from torch import Tensor

__all__ = ["NaiveReciprocal", "RegularReciprocal", "closed_form", "predicted_iterations", "slope"]


def _check_eta(eta: float) -> None:
    if (
        isinstance(eta, bool)
        or not isinstance(eta, int | float)
        or not isfinite(eta)
        or not 0 < eta < 1
    ):
        raise ValueError(f"eta must be a number in (0, 1), got {eta!r}")


def _check_t(t: int) -> None:
    if isinstance(t, bool) or not isinstance(t, int) or t < 0:
        raise ValueError(f"t must be an integer >= 0, got {t!r}")


@dataclass(frozen=True)
class NaiveReciprocal:
    """G(y, x) = (1 - eta) y + eta / x: contracts with modulus 1 - eta, but |dG/dx| = eta / x^2 is singular at 0.

    It is not regular (Definition 2.3, i): the blow-up of 1/x sits in the operator itself.
    Raises ValueError for eta outside (0, 1).

    >>> NaiveReciprocal(eta=0.5)(torch.tensor([0.0]), torch.tensor([0.25]))
    tensor([2.])
    """

    eta: float

    def __post_init__(self):
        _check_eta(self.eta)

    def __call__(self, y: Tensor, x: Tensor) -> Tensor:
        return (1 - self.eta) * y + self.eta / x

    def modulus(self, x: Tensor) -> Tensor:
        """Mu = 1 - eta, whatever x is. (B, ...)"""
        return torch.full_like(x, 1 - self.eta)

    def lipschitz_x(self, y: Tensor, x: Tensor) -> Tensor:
        """|dG/dx| = eta / x^2, unbounded near 0. (B, ...)"""
        return (self.eta / x**2).expand_as(y)


@dataclass(frozen=True)
class RegularReciprocal:
    """G(y, x) = y - eta (x y - 1): |dG/dx| = eta |y| has no singularity, |dG/dy| = |1 - eta x| < 1 on (0, 1].

    Regular (Definition 2.3) on (0, 1]; the steepness of 1/x is paid for by mu(x) -> 1 as x -> 0.
    For x < 0 the modulus exceeds 1 and the iteration diverges. Raises ValueError for eta outside (0, 1).

    >>> RegularReciprocal(eta=0.5)(torch.tensor([0.0]), torch.tensor([0.25]))
    tensor([0.5000])
    """

    eta: float

    def __post_init__(self):
        _check_eta(self.eta)

    def __call__(self, y: Tensor, x: Tensor) -> Tensor:
        return y - self.eta * (x * y - 1)

    def modulus(self, x: Tensor) -> Tensor:
        """mu(x) = |1 - eta x|. (B, ...)"""
        return (1 - self.eta * x).abs()

    def lipschitz_x(self, y: Tensor, x: Tensor) -> Tensor:
        """|dG/dx| = eta |y|: grows linearly in |y|, whatever x is. (B, ...)"""
        return (self.eta * y.abs()).expand_as(x)


def _power_terms(x: Tensor, t: int, eta: float) -> tuple[Tensor, Tensor]:
    """q^t - 1 and q^(t-1) for q = 1 - eta x, without cancellation where q is close to 1."""
    q, u = 1 - eta * x, -eta * x
    safe = u.clamp(
        min=-0.5
    )  # log1p serves q >= 1/2 (also x < 0), the plain power the rest (q may be negative)
    small = u >= -0.5
    return (
        torch.where(small, torch.expm1(t * torch.log1p(safe)), q**t - 1),
        torch.where(small, torch.exp((t - 1) * torch.log1p(safe)), q ** (t - 1)),
    )


def closed_form(x: Tensor, t: int, eta: float) -> Tensor:
    """y_t = (1 - (1 - eta x)^t) / x, the t-th iterate of `RegularReciprocal` from y_0 = 0 (section 2).

    x (B, ...), also 0, where y_t = t eta; t >= 0; eta in (0, 1). Returns (B, ...).
    Raises ValueError for t or eta outside of their range.
    """
    _check_eta(eta)
    _check_t(t)
    zero = x == 0
    safe = torch.where(zero, torch.ones_like(x), x)
    return torch.where(zero, torch.full_like(x, t * eta), -_power_terms(safe, t, eta)[0] / safe)


def slope(x: Tensor, t: int, eta: float) -> Tensor:
    """dy_t/dx = (t eta (1 - eta x)^(t-1) - y_t) / x, from differentiating the closed form (section 2).

    Negative for t >= 2 and x in [0, 1]; its size falls with x and rises with t, towards 1/x^2. Shapes and errors as in `closed_form`.
    """
    _check_eta(eta)
    _check_t(t)
    if t == 0:
        return torch.zeros_like(x)
    u = eta * x
    near = (
        t * u
    ).abs() < 1e-2  # here the difference of two nearly equal terms is replaced by its Taylor series
    safe = torch.where(near, torch.ones_like(x), x)
    difference, power = _power_terms(safe, t, eta)
    u = torch.where(near, u, torch.zeros_like(u))
    series = eta**2 * sum(
        (-1) ** (j + 1) * (j - 1) * float(comb(t, j)) * u ** (j - 2) for j in range(2, 8)
    )
    return torch.where(near, series, (t * eta * power + difference / safe) / safe)


def predicted_iterations(x: Tensor, tol: float, eta: float) -> Tensor:
    """ceil(ln(tol) / ln(1 - eta x)): the first t at which the relative error (1 - eta x)^t is at most tol (section 2).

    x (B, ...) in (0, 1], tol in (0, 1). Returns (B, ...) int64. Raises ValueError for values outside of these ranges.
    """
    _check_eta(eta)
    if not 0 < tol < 1:
        raise ValueError(f"tol must be in (0, 1), got {tol!r}")
    if not bool(((x > 0) & (x <= 1)).all()):
        raise ValueError(f"x must lie in (0, 1], got values in [{x.min():g}, {x.max():g}]")
    exact = torch.log(torch.tensor(tol, dtype=x.dtype, device=x.device)) / torch.log1p(-eta * x)
    return torch.ceil(
        exact * (1 - 8 * torch.finfo(x.dtype).eps)
    ).long()  # an exact integer must not be rounded up
