"""The iterates of the regular operator of 1/x: their residuals, values, number and frames."""

from __future__ import annotations

from typing import TypedDict

import torch
from torch import Tensor

from equilibria.operators.reciprocal import (
    RegularReciprocal,
    closed_form,
    predicted_iterations,
    slope,
)
from equilibria.solvers import Picard, solve, trajectory
from equilibria.studies.one_over_x.grids import log_space

__all__ = [
    "Curves",
    "Frames",
    "Iterations",
    "Moves",
    "measure_curves",
    "measure_frames",
    "measure_iterations",
    "measure_moves",
    "measure_solves",
]


class OneSolve(TypedDict):
    """One solve: measured and predicted relative residuals, one per evaluation."""

    x: float
    steps: int
    residual: Tensor
    predicted: Tensor


class Solves(TypedDict):
    """Solves at a few x: what solve.json holds."""

    x: list[float]
    tol: float
    solves: list[OneSolve]
    largest_gap: float  # the largest |measured / predicted - 1|


class Curves(TypedDict):
    """y_t over x, for several t."""

    x: Tensor
    times: list[int]
    iterates: list[Tensor]
    closed_form: list[Tensor]
    target: Tensor
    largest_gap: list[float]  # the largest relative difference of the two, one per t


class Moves(TypedDict):
    """Picard's iteration at a few x, and how far its end moves with x."""

    eta: float
    x: list[float]
    spread: float  # how far x is moved either way
    iterates: list[list[float]]  # y_0, y_1, ... at each x
    fixed_points: list[tuple[float, float]]  # at x + spread and at x - spread


class Frames(TypedDict):
    """y_t over x for every step size and t: one frame of the player each."""

    x: Tensor
    target: Tensor
    times: list[int]
    etas: list[float]
    iterates: list[list[Tensor]]  # one row per t, one column per eta
    edge: float  # the x at which slope and error are given
    slope: list[list[float]]  # |dy_t/dx| at the edge
    error: list[list[float]]  # the relative error of y_t at the edge


class Iterations(TypedDict):
    """How many iterations each x needs to a relative error of tol."""

    x: Tensor
    tol: float
    needed: Tensor
    predicted: Tensor
    largest_gap: int  # the largest difference of the two


def measure_solves(eta: float, tol: float, points: list[float], device: str = "cpu") -> Solves:
    """Solve by Picard's iteration at a few x, from y_0 = 0, to a relative residual of `tol`.

    For this operator the relative residual is known exactly:

        |G(y_t) - y_t| / |G(y_t)| = eta x q^t / (1 - q^(t+1)),  q = 1 - eta x,  t = 0, 1, ...
    """
    x = torch.tensor(points, dtype=torch.float64, device=device)[:, None]
    # The relative residual reaches the tolerance before the relative error does.
    budget = int(predicted_iterations(x, tol, eta).max()) + 1
    y0 = torch.zeros_like(x)
    solution = solve(RegularReciprocal(eta), y0, x, method=Picard(), max_steps=budget, tol=tol)
    results: list[OneSolve] = []
    gaps: list[float] = []
    counts = solution.steps.tolist()
    for point, residuals, steps in zip(points, solution.residuals, counts, strict=True):
        t = torch.arange(steps, dtype=torch.float64)
        q = 1 - eta * point
        predicted = eta * point * q**t / (1 - q ** (t + 1))
        residual = residuals[:steps]
        gaps.append(float((residual.cpu() / predicted - 1).abs().max()))
        results.append({"x": point, "steps": steps, "residual": residual, "predicted": predicted})
    return {"x": points, "tol": tol, "solves": results, "largest_gap": max(gaps)}


def measure_curves(eta: float, times: list[int], points: int, device: str = "cpu") -> Curves:
    """y_t, iterated from 0, beside its closed form, for each t of `times`."""
    x = log_space(1e-3, 1, points, device)
    times = sorted(set(times))
    iterates: list[Tensor] = []
    exact: list[Tensor] = []
    gaps: list[float] = []
    for t, y in enumerate(
        trajectory(RegularReciprocal(eta), torch.zeros_like(x), x, max(times)), 1
    ):
        if t not in times:
            continue
        formula = closed_form(x, t, eta)
        iterates.append(y[:, 0])
        exact.append(formula[:, 0])
        gaps.append(float(((y - formula) / formula).abs().max()))
    return {
        "x": x[:, 0],
        "times": times,
        "iterates": iterates,
        "closed_form": exact,
        "target": 1 / x[:, 0],
        "largest_gap": gaps,
    }


def measure_moves(
    eta: float, inputs: list[float], *, spread: float = 0.02, steps: int = 60
) -> Moves:
    """Iterate at a few x, and at x + spread and x - spread say where the iteration ends."""
    x = torch.tensor(inputs, dtype=torch.float64)[:, None]
    y0 = torch.zeros_like(x)
    iterates = [y0, *trajectory(RegularReciprocal(eta), y0, x, steps)]
    return {
        "eta": eta,
        "x": inputs,
        "spread": spread,
        "iterates": torch.cat(iterates, 1).tolist(),
        "fixed_points": [(1 / (one + spread), 1 / (one - spread)) for one in inputs],
    }


def measure_frames(points: int, *, edge: float = 0.04) -> Frames:
    """y_t from x = edge to 1 at 15 t and 7 step sizes, for a reader's own hand on both."""
    times = [1, 2, 3, 5, 7, 10, 14, 20, 30, 45, 65, 100, 150, 220, 320]
    etas = [0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9]
    # Equal steps of the square root: denser where 1/x is steep.
    x = torch.linspace(edge**0.5, 1, points, dtype=torch.float64) ** 2
    first = x[:1]
    return {
        "x": x,
        "target": 1 / x,
        "times": times,
        "etas": etas,
        "iterates": [[closed_form(x, t, eta) for eta in etas] for t in times],
        "edge": edge,
        "slope": [[float(slope(first, t, eta).abs()) for eta in etas] for t in times],
        "error": [[(1 - eta * edge) ** t for eta in etas] for t in times],
    }


def measure_iterations(eta: float, tol: float, points: int, device: str = "cpu") -> Iterations:
    """Count the iterations until |x y_t - 1| <= tol, beside ceil(ln tol / ln(1 - eta x)).

    Raises RuntimeError where the tolerance is not met within two iterations more than predicted.
    """
    x = log_space(1e-2, 1, points, device)
    predicted = predicted_iterations(x, tol, eta)[:, 0]
    needed = torch.zeros_like(predicted)  # 0 where the tolerance is not met yet
    budget = int(predicted.max()) + 2
    for t, y in enumerate(trajectory(RegularReciprocal(eta), torch.zeros_like(x), x, budget), 1):
        within = (x * y - 1).abs()[:, 0] <= tol
        needed[(needed == 0) & within] = t
    missing = int((needed == 0).sum())
    if missing:
        raise RuntimeError(
            f"{missing} points did not come within tol = {tol} "
            "in two iterations more than predicted"
        )
    return {
        "x": x[:, 0],
        "tol": tol,
        "needed": needed,
        "predicted": predicted,
        "largest_gap": int((needed - predicted).abs().max()),
    }
