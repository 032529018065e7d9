"""1/x as an equilibrium: a singular and a regular operator with the same fixed point (section 2).

=======  =========================================================
``x``    nonzero inputs, (B, ...)
``y``    state and output, (B, ...); the fixed point is 1/x
``t``    iteration, from y_0 = 0
``eta``  step size in (0, 1)
``mu``   contraction modulus of y -> G(y, x)
=======  =========================================================

Everything acts elementwise, in the dtype and on the device of ``x``.
"""

from dataclasses import dataclass
from math import comb, cos, sin

import torch
from torch import Tensor

from equilibria.checks import is_real, require, require_int

__all__ = [
    "NaiveReciprocal",
    "RegularReciprocal",
    "TurningReciprocal",
    "closed_form",
    "predicted_iterations",
    "slope",
]


def _check_eta(eta: float) -> None:
    require(is_real(eta) and 0 < eta < 1, "eta", eta, "a number in (0, 1)")


@dataclass(frozen=True)
class NaiveReciprocal:
    """G(y, x) = (1 - eta) y + eta / x, whose derivative |dG/dx| = eta / x^2 is singular at 0.

    It contracts with modulus 1 - eta, but it is not regular (Definition 2.3, i): the singularity
    of 1/x sits in the operator itself. Raises ValueError for eta outside (0, 1).

    >>> NaiveReciprocal(eta=0.5)(torch.tensor([0.0]), torch.tensor([0.25]))
    tensor([2.])
    """

    eta: float

    def __post_init__(self) -> None:
        _check_eta(self.eta)

    def __call__(self, y: Tensor, x: Tensor) -> Tensor:
        """One iteration, (B, ...)."""
        return (1 - self.eta) * y + self.eta / x

    def modulus(self, x: Tensor) -> Tensor:
        """The modulus mu = 1 - eta, which does not depend on x, (B, ...)."""
        return torch.full_like(x, 1 - self.eta)

    def lipschitz_x(self, y: Tensor, x: Tensor) -> Tensor:
        """|dG/dx| = eta / x^2, unbounded near 0, (B, ...)."""
        return (self.eta / x**2).expand_as(y)


@dataclass(frozen=True)
class RegularReciprocal:
    """G(y, x) = y - eta (x y - 1), regular (Definition 2.3) on (0, 1].

    |dG/dx| = eta |y| has no singularity, and mu(x) = |1 - eta x| < 1. The steepness of 1/x is paid
    for by mu(x) -> 1 as x -> 0. For x < 0 the modulus exceeds 1 and the iteration diverges.
    Raises ValueError for eta outside (0, 1).

    >>> RegularReciprocal(eta=0.5)(torch.tensor([0.0]), torch.tensor([0.25]))
    tensor([0.5000])
    """

    eta: float

    def __post_init__(self) -> None:
        _check_eta(self.eta)

    def __call__(self, y: Tensor, x: Tensor) -> Tensor:
        """One iteration, (B, ...)."""
        return y - self.eta * (x * y - 1)

    def modulus(self, x: Tensor) -> Tensor:
        """The modulus mu(x) = |1 - eta x|, (B, ...)."""
        return (1 - self.eta * x).abs()

    def lipschitz_x(self, y: Tensor, x: Tensor) -> Tensor:
        """|dG/dx| = eta |y|: linear in |y|, the same for every x, (B, ...)."""
        return (self.eta * y.abs()).expand_as(x)


@dataclass(frozen=True)
class TurningReciprocal:
    """G(y, x) = (1 - eta x) R y + eta e_1 in the plane, where R turns by `angle` (ours).

    It is regular on (0, 1] with the modulus mu(x) = 1 - eta x of `RegularReciprocal`, which it is
    on the first axis at angle 0. At any other angle its fixed point stays bounded as x -> 0, though
    mu(x) -> 1: the bound of Theorem 2.5 is not attained. Raises ValueError for eta outside (0, 1)
    and for an angle (radians) that is not finite.

    >>> TurningReciprocal(0.5, 1.0)(torch.zeros(1, 2), torch.tensor([[0.25]]))
    tensor([[0.5000, 0.0000]])
    """

    eta: float
    angle: float

    def __post_init__(self) -> None:
        _check_eta(self.eta)
        require(is_real(self.angle), "angle", self.angle, "a finite number")

    def __call__(self, y: Tensor, x: Tensor) -> Tensor:
        """One iteration: y (B, 2), x (B, 1) -> (B, 2)."""
        c, s = cos(self.angle), sin(self.angle)
        turned = torch.stack([c * y[:, 0] - s * y[:, 1], s * y[:, 0] + c * y[:, 1]], dim=1)
        first_axis = torch.zeros_like(y)
        first_axis[:, 0] = 1
        return (1 - self.eta * x) * turned + self.eta * first_axis


def _power_terms(x: Tensor, t: int, eta: float) -> tuple[Tensor, Tensor]:
    """q^t - 1 and q^(t-1) for q = 1 - eta x, without cancellation where q is close to 1."""
    q = 1 - eta * x
    u = -eta * x
    # log1p serves q >= 1/2, x < 0 included. The plain power serves the rest, where q may be
    # negative; the clamp only keeps log1p defined there.
    near_one = u >= -0.5
    log_q = torch.log1p(u.clamp(min=-0.5))
    difference = torch.where(near_one, torch.expm1(t * log_q), q**t - 1)
    power = torch.where(near_one, torch.exp((t - 1) * log_q), q ** (t - 1))
    return difference, power


def closed_form(x: Tensor, t: int, eta: float) -> Tensor:
    """y_t = (1 - (1 - eta x)^t) / x, the t-th iterate of `RegularReciprocal` from y_0 = 0.

    x (B, ...) may also be 0, where y_t = t eta; t >= 0; eta in (0, 1). Returns (B, ...).
    Raises ValueError for t or eta out of range, TypeError for a t that is no int. From section 2
    of the paper.
    """
    _check_eta(eta)
    require_int("t", t, least=0)
    zero = x == 0
    safe = torch.where(zero, torch.ones_like(x), x)
    difference, _ = _power_terms(safe, t, eta)
    return torch.where(zero, torch.full_like(x, t * eta), -difference / safe)


def slope(x: Tensor, t: int, eta: float) -> Tensor:
    """dy_t/dx = (t eta (1 - eta x)^(t-1) - y_t) / x, the derivative of the closed form (section 2).

    Negative for t >= 2 and x in [0, 1]. Its size falls with x and rises with t, towards 1/x^2.
    Shapes and errors as in `closed_form`.
    """
    _check_eta(eta)
    require_int("t", t, least=0)
    if t == 0:
        return torch.zeros_like(x)
    u = eta * x
    # Near 0 the two terms cancel, so their difference is replaced by its Taylor series.
    near_zero = (t * u).abs() < 1e-2
    safe = torch.where(near_zero, torch.ones_like(x), x)
    difference, power = _power_terms(safe, t, eta)
    plain = (t * eta * power + difference / safe) / safe
    series = _slope_series(torch.where(near_zero, u, torch.zeros_like(u)), t, eta)
    return torch.where(near_zero, series, plain)


def _slope_series(u: Tensor, t: int, eta: float) -> Tensor:
    """dy_t/dx as eta^2 times the sum over j = 2, ..., 7 of (-1)^(j+1) (j - 1) C(t, j) u^(j-2)."""
    total = torch.zeros_like(u)
    for j in range(2, 8):
        coefficient = (-1) ** (j + 1) * (j - 1) * float(comb(t, j))
        total = total + coefficient * u ** (j - 2)
    return eta**2 * total


def predicted_iterations(x: Tensor, tol: float, eta: float) -> Tensor:
    """ceil(ln(tol) / ln(1 - eta x)), the first t with relative error (1 - eta x)^t <= tol.

    x (B, ...) in (0, 1], tol in (0, 1). Returns (B, ...) int64. From section 2 of the paper.
    Raises ValueError for values out of range.
    """
    _check_eta(eta)
    require(0 < tol < 1, "tol", tol, "in (0, 1)")
    if not bool(((x > 0) & (x <= 1)).all()):
        raise ValueError(f"x must lie in (0, 1], got values in [{x.min():g}, {x.max():g}]")
    log_tol = torch.log(torch.tensor(tol, dtype=x.dtype, device=x.device))
    exact = log_tol / torch.log1p(-eta * x)
    # Rounding must not lift an exact integer to the next one.
    lowered = exact * (1 - 8 * torch.finfo(x.dtype).eps)
    return torch.ceil(lowered).long()
