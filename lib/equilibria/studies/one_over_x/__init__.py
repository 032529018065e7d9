"""One over x: the trainings of the learned toy, and what notebook 01 measures (sections 1 and 2).

`networks`, `toy_training`  the learned toy: its networks, and how they are trained
`toy_measures`              what is measured of the toy
`iterates`, `slopes`        the operators made for 1/x
`theorem_measures`          Theorems 2.4 and 2.5 on every target, and Fig. 1
`necessity`                 Theorem 2.5 where its bound is not attained
`edge_of_theory`, `lab`     sign x, and steps of a reader's own
`tables`                    rows of the notebook's tables
"""

from __future__ import annotations

from equilibria.studies.one_over_x.edge_of_theory import measure_limit
from equilibria.studies.one_over_x.iterates import (
    measure_curves,
    measure_frames,
    measure_iterations,
    measure_moves,
    measure_solves,
)
from equilibria.studies.one_over_x.lab import measure_steps
from equilibria.studies.one_over_x.necessity import measure_necessity
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
from equilibria.studies.one_over_x.slopes import measure_operator_slopes, measure_steepness
from equilibria.studies.one_over_x.tables import (
    against_the_paper,
    attempt_rows,
    audit_rows,
    toy_rows,
)
from equilibria.studies.one_over_x.theorem_measures import (
    constant_step,
    measure_conceptual,
    measure_sufficiency,
)
from equilibria.studies.one_over_x.toy_measures import (
    TIMES,
    least_error,
    measure_broken_toy,
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
    "against_the_paper",
    "attempt_rows",
    "audit_rows",
    "constant_step",
    "explicit_results",
    "least_error",
    "load",
    "measure_broken_toy",
    "measure_conceptual",
    "measure_curves",
    "measure_frames",
    "measure_iterations",
    "measure_limit",
    "measure_moves",
    "measure_necessity",
    "measure_network",
    "measure_operator_slopes",
    "measure_solves",
    "measure_steepness",
    "measure_steps",
    "measure_sufficiency",
    "measure_toy",
    "names",
    "new",
    "toy_rows",
    "train",
    "without_contraction",
]
