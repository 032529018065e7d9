"""One over x: the trainings of the learned toy, and what notebook 01 measures (sections 1 and 2).

`networks`, `toy_training`  the learned toy: its networks, and how they are trained
`toy_measures`              what is measured of the toy
`iterates`, `slopes`        the operators made for 1/x
`theorem_measures`          Theorems 2.4 and 2.5 on every target, and Fig. 1
`edge_of_theory`            sign x
`tables`                    rows of the notebook's tables
"""

from __future__ import annotations

from typing import TypedDict

from equilibria.studies.one_over_x.edge_of_theory import Limit, limit
from equilibria.studies.one_over_x.iterates import (
    Curves,
    Iterations,
    Panels,
    curves,
    needed_iterations,
    panels,
    solves,
)
from equilibria.studies.one_over_x.networks import (
    BOUNDS,
    MODULUS,
    NEAR,
    RECORDS,
    SEEDS,
    explicit_results,
    load,
    names,
    new,
    without_contraction,
)
from equilibria.studies.one_over_x.slopes import (
    OperatorSlopes,
    Steepness,
    operator_slopes,
    steepness,
)
from equilibria.studies.one_over_x.tables import against_the_paper, toy_rows
from equilibria.studies.one_over_x.theorem_measures import (
    Conceptual,
    Sufficiency,
    conceptual,
    constant_step,
    sufficiency,
)
from equilibria.studies.one_over_x.toy_measures import (
    TIMES,
    broken_toy,
    least_error,
    measure_network,
    measure_toy,
)
from equilibria.studies.one_over_x.toy_training import train

__all__ = [
    "BOUNDS",
    "MODULUS",
    "NEAR",
    "RECORDS",
    "SEEDS",
    "TIMES",
    "Theory",
    "against_the_paper",
    "broken_toy",
    "conceptual",
    "constant_step",
    "curves",
    "explicit_results",
    "least_error",
    "limit",
    "load",
    "measure",
    "measure_network",
    "measure_toy",
    "names",
    "needed_iterations",
    "new",
    "operator_slopes",
    "panels",
    "solves",
    "steepness",
    "sufficiency",
    "toy_rows",
    "train",
    "without_contraction",
]


class Theory(TypedDict):
    """What results.json of notebook 01 holds: one entry per section."""

    curves: Curves
    operator_slopes: OperatorSlopes
    steepness: list[Steepness]
    iterations: Iterations
    conceptual: Conceptual
    sufficiency: Sufficiency
    limit: Limit
    panels: Panels


def measure(
    *,
    eta: float,
    tol: float,
    iterations: list[int],
    intervals: list[float],
    points: int,
    levels: int,
    seed: int,
    device: str,
) -> Theory:
    """All measurements of notebook 01 but the learned toy. Arguments: the notebook's parameters."""
    return {
        "curves": curves(eta, iterations, points, device),
        "operator_slopes": operator_slopes(eta, points // 2, device),
        "steepness": steepness(eta, intervals, points // 6, device),
        "iterations": needed_iterations(eta, tol, points // 4, device),
        "conceptual": conceptual([1, 2, 10_000], points, device),
        "sufficiency": sufficiency(levels, seed, device),
        "limit": limit(levels, seed, device),
        "panels": panels([0.1, 0.5, 0.9], [1, 5, 25, 100], points // 2, device),
    }
