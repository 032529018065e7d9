"""Linear programs: the models of Table 1, and what notebook 04 measures (paper, section 5.3).

`recipes` says which models there are and trains them, `measures` measures a model along t, and
`table` takes all its seeds together.
"""

from equilibria.studies.linear_programs.measures import (
    along_t,
    perturbed_along_t,
    relative_error,
    trajectory,
)
from equilibria.studies.linear_programs.recipes import (
    RECORDS,
    TRAINED_STEPS,
    WIDTHS,
    data,
    implicit_loss,
    load,
    names,
    new,
    seeds,
    train,
    unrolled_loss,
)
from equilibria.studies.linear_programs.table import AllSeeds, all_seeds_along_t

__all__ = [
    "RECORDS",
    "TRAINED_STEPS",
    "WIDTHS",
    "AllSeeds",
    "all_seeds_along_t",
    "along_t",
    "data",
    "implicit_loss",
    "load",
    "names",
    "new",
    "perturbed_along_t",
    "relative_error",
    "seeds",
    "train",
    "trajectory",
    "unrolled_loss",
]
