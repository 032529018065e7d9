"""What is measured of the learned toy, and what no network of its kind can reach."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import TypedDict

import torch
from torch import Tensor

from equilibria.operators.bounded_mlp import BoundedMLP
from equilibria.solvers import trajectory
from equilibria.studies.one_over_x.networks import (
    BOUNDS,
    MODULUS,
    NEAR,
    SEEDS,
    Measurements,
    explicit_results,
    inputs,
    load,
    without_contraction,
)

__all__ = ["TIMES", "Toy", "least_error", "measure_broken_toy", "measure_network", "measure_toy"]

TIMES = (1, 5, 25, 50, 100, 400)  # the paper's 1, 5 and 25; the rest show whether errors settle
_GRID = 201  # test points

# By kind ("explicit" or "implicit"), by bound ("5", ...).
Statistics = dict[str, list[float]]
Summary = dict[str, dict[str, Statistics]]


class Toy(TypedDict):
    """All measurements of the toy: what toy.json holds."""

    inputs: Tensor  # every second test point
    times: tuple[int, ...]
    seeds: tuple[int, ...]
    explicit: dict[str, list[Measurements]]  # by bound, one entry per seed
    implicit: dict[str, list[Measurements]]
    operator_bounds: dict[str, list[tuple[float, ...]]]  # exact bounds in (y, x), one per seed
    least_error: dict[str, float]  # by bound
    summary: Summary  # by bound and kind: means over seeds, and standard deviations (_spread)
    at_25: dict[str, list[float]]  # one entry per bound, or per bound and seed


class Broken(TypedDict):
    """The sup error at t = 1, 2, ... of one network under a bound on its modulus."""

    modulus: float
    sup_error: list[float]


@torch.no_grad()
def measure_network(model: BoundedMLP, times: tuple[int, ...]) -> Measurements:
    """Errors and steepness of y_t in float64, for each t of `times` (explicit networks: t = 1)."""
    x = inputs(_GRID).double()
    measured = Measurements(sup_error=[], mean_relative_error=[], steepest=[], curve=[])
    for t, y in enumerate(_answers(copy.deepcopy(model).double(), x, max(times)), 1):
        if t not in times:
            continue
        error = (y * x - 1).abs()
        ratio = (y.diff(dim=0) / x.diff(dim=0)).abs()
        measured["sup_error"].append(float((error / x).max()))
        measured["mean_relative_error"].append(float(error.mean()))
        measured["steepest"].append(float(ratio.max()))
        measured["curve"].append(y[::2, 0].float().tolist())
    return measured


def _answers(model: BoundedMLP, x: Tensor, steps: int) -> Iterator[Tensor]:
    """The one answer of an explicit network, or y_1, ..., y_steps of an implicit one."""
    if len(model.limits) == 1:
        yield model(x)
    else:
        yield from trajectory(model, torch.zeros_like(x), x, steps)


def measure_toy() -> Toy:
    """Measure every network at each t of TIMES.

    Implicit networks are measured now, from the shipped weights; explicit ones were measured by
    their trainings. Raises CheckpointError when either is missing or damaged.
    """
    explicit: dict[str, list[Measurements]] = {}
    implicit: dict[str, list[Measurements]] = {}
    operator_bounds: dict[str, list[tuple[float, ...]]] = {}
    for bound in BOUNDS:
        models = [load(f"implicit-{bound}", seed=seed)[0] for seed in SEEDS]
        name, key = f"explicit-{bound}", str(bound)
        explicit[key] = [explicit_results(name, seed=seed) for seed in SEEDS]
        implicit[key] = [measure_network(model, TIMES) for model in models]
        operator_bounds[key] = [model.bounds() for model in models]
    least = {str(bound): least_error(bound, NEAR) for bound in BOUNDS}
    summary: Summary = {}
    for key in least:
        of_implicit = _over_seeds(implicit[key])
        of_implicit["sup_error_to_25"] = of_implicit["sup_error"][: TIMES.index(25) + 1]
        summary[key] = {"explicit": _over_seeds(explicit[key]), "implicit": of_implicit}
    return Toy(
        inputs=inputs(_GRID)[::2, 0],
        times=TIMES,
        seeds=SEEDS,
        explicit=explicit,
        implicit=implicit,
        operator_bounds=operator_bounds,
        least_error=least,
        summary=summary,
        at_25=_at_25(summary, least, explicit, implicit),
    )


def _over_seeds(measured: list[Measurements]) -> Statistics:
    """Mean and standard deviation over the seeds, one entry per t."""
    columns = {
        "sup_error": [one["sup_error"] for one in measured],
        "mean_relative_error": [one["mean_relative_error"] for one in measured],
        "steepest": [one["steepest"] for one in measured],
    }
    statistics: Statistics = {}
    for key, rows in columns.items():
        values = torch.tensor(rows, dtype=torch.float64)  # (seeds, times)
        statistics[key] = values.mean(0).tolist()
        statistics[f"{key}_spread"] = values.std(0).tolist()
    return statistics


def _at_25(
    summary: Summary,
    least: dict[str, float],
    explicit: dict[str, list[Measurements]],
    implicit: dict[str, list[Measurements]],
) -> dict[str, list[float]]:
    """What claims about t = 25 compare: one entry per bound, or one per bound and seed."""
    at_25 = TIMES.index(25)
    rows = list(summary.values())
    return {
        "implicit": [row["implicit"]["sup_error"][at_25] for row in rows],
        "explicit": [row["explicit"]["sup_error"][0] for row in rows],
        "least_error": list(least.values()),
        "implicit_steepest": [row["implicit"]["steepest"][at_25] for row in rows],
        "bound": list(BOUNDS),
        "steepest_at_1_over_bound": _steepest_over_bound(implicit),
        "explicit_steepest_over_bound": _steepest_over_bound(explicit),
    }


def _steepest_over_bound(measured: dict[str, list[Measurements]]) -> list[float]:
    """The steepness of the first answer over the bound, one entry per bound and seed."""
    ratios = []
    for bound in BOUNDS:
        ratios += [network["steepest"][0] / bound for network in measured[str(bound)]]
    return ratios


def measure_broken_toy(modulus: float = 1.2, steps: int = 400) -> dict[str, Broken]:
    """Errors of implicit-5 as trained, and of the same weights without a contraction."""
    model, _ = load("implicit-5", seed=0)
    times = tuple(range(1, steps + 1))
    trained = measure_network(model, times)
    broken = measure_network(without_contraction(model, modulus), times)
    return {
        "contraction": {"modulus": MODULUS, "sup_error": trained["sup_error"]},
        "without": {"modulus": modulus, "sup_error": broken["sup_error"]},
    }


def least_error(bound: float, near: float) -> float:
    """The sup error on [near, 1] that no function with this Lipschitz constant beats for 1/x.

    The error is at least half of what the slope between two points a < b exceeds the bound by,

        max over a < b of (1/a - 1/b - bound (b - a)) / 2,

    which is largest at a = near and b = bound^(-1/2). It is 0 where bound >= 1 / near^2. It holds
    for networks of any size.

    >>> round(least_error(5, 0.1), 3), least_error(100, 0.1)
    (3.014, 0.0)
    """
    a = near
    b: float = min(1.0, bound**-0.5)
    if b <= a:
        return 0.0
    return max(0.0, 0.5 * (1 / a - 1 / b - bound * (b - a)))
