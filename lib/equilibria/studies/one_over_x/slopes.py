"""How steep the operators of 1/x are, and how steep their iterates become."""

from __future__ import annotations

import math
from typing import TypedDict

import torch
from torch import Tensor

from equilibria import lipschitz
from equilibria.operators.reciprocal import (
    NaiveReciprocal,
    RegularReciprocal,
    closed_form,
    slope,
)
from equilibria.solvers import trajectory
from equilibria.solvers.method import Operator
from equilibria.studies.one_over_x.grids import log_space

__all__ = [
    "OperatorSlopes",
    "Steepness",
    "measure_operator_slopes",
    "measure_steepness",
    "slope_in_x",
]


class OperatorSlopes(TypedDict):
    """|dG/dx| and the modulus of both operators, towards x = 0."""

    x: Tensor
    naive: Tensor  # |dG/dx| at |y| = 1
    regular: dict[str, Tensor]  # the same by |y|: "1" and "10"
    blow_up: dict[str, float]  # the largest |dG/dx| over the smallest, by operator, at |y| = 1


class Steepness(TypedDict):
    """Steepness and error of y_t on [interval, 1]; one entry per t."""

    interval: float
    times: list[int]
    measured: list[float]  # the largest |dy_t/dx|, through the iteration
    closed_form: list[float]  # the same, by the closed form
    bound: list[float]  # y_t(d)^2, the bound of Theorem 2.5 stopped after t steps
    limit: float  # 1 / d^2, the bound itself
    error: list[float]  # the relative error of y_t(d)
    largest_gap: float  # the largest |measured / closed_form - 1|
    end_over_limit: float  # the last steepness over the limit


def measure_operator_slopes(eta: float, points: int, device: str = "cpu") -> OperatorSlopes:
    """|dG/dx| of the naive and of the regular operator at |y| = 1 and 10, towards x = 0."""
    x = log_space(1e-4, 1, points, device)
    naive = NaiveReciprocal(eta)
    regular = RegularReciprocal(eta)
    naive_slope = slope_in_x(naive, 1.0, x)
    regular_slope = {"1": slope_in_x(regular, 1.0, x), "10": slope_in_x(regular, 10.0, x)}
    return {
        "x": x[:, 0],
        "naive": naive_slope,
        "regular": regular_slope,
        "blow_up": {"naive": _spread(naive_slope), "regular": _spread(regular_slope["1"])},
    }


def slope_in_x(G: Operator, size: float, x: Tensor) -> Tensor:
    """|dG/dx| at y = size for states of the shape of x, (B, 1) -> (B,)."""

    def image(x: Tensor) -> Tensor:
        return G(torch.full_like(x, size), x)

    return lipschitz.local(image, x)


def _spread(values: Tensor) -> float:
    """The largest value over the smallest."""
    return float(values.max() / values.min())


def measure_steepness(
    eta: float, intervals: list[float], points: int, device: str = "cpu"
) -> list[Steepness]:
    """The supremum of |dy_t/dx| over [d, 1] against t, beside its bounds; one entry per d.

    At t steps the argument of Theorem 2.5 gives

        |dy_t/dx| <= sum over k < t of mu^(t-1-k) eta |y_k| <= eta y_t (1 - mu^t) / (1 - mu),

    which is y_t^2, at most y_t(d)^2. The theorem itself bounds the limit by
    Lip_x(G)(y*) / (1 - mu) = eta (1/d) / (eta d) = 1/d^2.
    """
    return [_steepness_on(d, eta, points, device) for d in intervals]


def _steepness_on(d: float, eta: float, points: int, device: str) -> Steepness:
    x = log_space(d, 1, points, device)
    times = _times_to_settle(d, eta)
    measured: list[float] = []
    exact: list[float] = []
    bound: list[float] = []
    error: list[float] = []
    edge = x[:1]
    for t in times:
        y_edge = closed_form(edge, t, eta)
        measured.append(float(_slope_of_iterate(x, t, eta).max()))
        exact.append(float(slope(x, t, eta).abs().max()))
        bound.append(float(y_edge**2))
        error.append(float((1 / edge - y_edge) * edge))
    limit = 1 / d**2
    # y_1 = eta is flat, so there is no ratio to compare at t = 1.
    rows = zip(times, measured, exact, strict=True)
    gaps = [abs(m / c - 1) for t, m, c in rows if t > 1]
    return {
        "interval": d,
        "times": times,
        "measured": measured,
        "closed_form": exact,
        "bound": bound,
        "limit": limit,
        "error": error,
        "largest_gap": max(gaps),
        "end_over_limit": measured[-1] / limit,
    }


def _times_to_settle(d: float, eta: float) -> list[int]:
    """Up to 25 t with equal ratios, until the slope at d is within 1 % of its limit."""
    # There (1 - eta d)^t is below exp(-10).
    last = math.log10(12 / (eta * d))
    times = torch.logspace(0, last, 25, dtype=torch.float64).tolist()
    return sorted({round(t) for t in times})


def _slope_of_iterate(x: Tensor, t: int, eta: float) -> Tensor:
    """|dy_t/dx|, through the iteration, (B,)."""

    def iterate(x: Tensor) -> Tensor:
        *_, y = trajectory(RegularReciprocal(eta), torch.zeros_like(x), x, t)
        return y

    return lipschitz.local(iterate, x)
