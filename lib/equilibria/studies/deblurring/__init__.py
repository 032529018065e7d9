"""Deblurring: the trainings of Tables 3-4 and what notebook 02 measures (paper, section 5.1).

=============  ============================================================
`recipes`      what can be trained: names, recipes, kernels, untrained models
`pool`         how an implicit model is trained at its equilibrium
`trainings`    one training
`records`      where trained models and their records lie
`evaluation`   what finished models do on the test photographs
`summaries`    tables from the records
`measures`     answers, and PSNR along t
`steepness`    Lipschitz constants and rates
`comparisons`  solvers, training memory, other noise, other kernels
`pictures`     what the notebook's pictures show besides photographs
=============  ============================================================
"""

from equilibria.studies.deblurring.comparisons import (
    equilibrium_memory,
    psnr_by_budget,
    psnr_of_all,
    unfolded_memory,
)
from equilibria.studies.deblurring.evaluation import LATE_STEPS, evaluate, evaluate_all, test_set
from equilibria.studies.deblurring.measures import TEST_STEPS, answer, psnr_along_t, solved
from equilibria.studies.deblurring.pictures import log_symbol, most_detailed_square
from equilibria.studies.deblurring.recipes import (
    DEPTHS,
    RECIPES,
    Recipe,
    kernel,
    names,
    needs,
    new,
)
from equilibria.studies.deblurring.records import RECORDS, load, reports, seeds
from equilibria.studies.deblurring.steepness import (
    RANKS,
    convergence_rate,
    lipschitz_along_t,
    local_constant_of_y_t,
    waves,
)
from equilibria.studies.deblurring.summaries import recomputed_difference, summary
from equilibria.studies.deblurring.trainings import train

__all__ = [
    "DEPTHS",
    "LATE_STEPS",
    "RANKS",
    "RECIPES",
    "RECORDS",
    "TEST_STEPS",
    "Recipe",
    "answer",
    "convergence_rate",
    "equilibrium_memory",
    "evaluate",
    "evaluate_all",
    "kernel",
    "lipschitz_along_t",
    "load",
    "local_constant_of_y_t",
    "log_symbol",
    "most_detailed_square",
    "names",
    "needs",
    "new",
    "psnr_along_t",
    "psnr_by_budget",
    "psnr_of_all",
    "recomputed_difference",
    "reports",
    "seeds",
    "solved",
    "summary",
    "test_set",
    "train",
    "unfolded_memory",
    "waves",
]
