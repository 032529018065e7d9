"""Linear programs: the models of Table 1, and what notebook 04 measures (paper, section 5.3).

`programs` holds the three splits, `recipes` says which models there are and trains them,
`evaluation` tests the finished ones, `measures` measures a model along t, `released` does so as the
authors' experiments do, and `table` takes all seeds of a model together.
"""

from equilibria.studies.linear_programs.evaluation import evaluate, evaluate_all
from equilibria.studies.linear_programs.measures import (
    along_t,
    perturbed_along_t,
    relative_error,
    trajectory,
)
from equilibria.studies.linear_programs.programs import data, larger_programs, test_programs
from equilibria.studies.linear_programs.recipes import (
    RECORDS,
    TRAINED_STEPS,
    WIDTHS,
    implicit_loss,
    load,
    names,
    new,
    seeds,
    train,
    unrolled_loss,
)
from equilibria.studies.linear_programs.released import RELEASED_NORM, as_released_along_t
from equilibria.studies.linear_programs.table import AllSeeds, all_seeds_along_t, table_row

__all__ = [
    "RECORDS",
    "RELEASED_NORM",
    "TRAINED_STEPS",
    "WIDTHS",
    "AllSeeds",
    "all_seeds_along_t",
    "along_t",
    "as_released_along_t",
    "data",
    "evaluate",
    "evaluate_all",
    "implicit_loss",
    "larger_programs",
    "load",
    "names",
    "new",
    "perturbed_along_t",
    "relative_error",
    "seeds",
    "table_row",
    "test_programs",
    "train",
    "trajectory",
    "unrolled_loss",
]
