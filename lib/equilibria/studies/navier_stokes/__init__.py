"""The study of steady Navier-Stokes: Table 5 and what notebook 03 measures (paper, section 5.2).

`recipes`      which models there are, their networks and flows; where trained ones are kept
`visits`       how the implicit model is trained: visits to a pool of flows that keep their states
`trainings`    `train`
`training_flows`  flows in all their images
`bounded`      the bounded pair: what its slopes cost
`measures`     what a model is asked: answers, errors and true local constants along the iterations
`protocols`    the Lipschitz constant of Fig. 4 by waves, corrected and as released
`probes`       steepness, places of rest, decisions: what takes minutes to find out
`evaluation`   what finished models do on the test flows, recorded: `evaluate_all`
`surveys`      what the classical solver finds among the flows, recorded
`appendices`   classical solvers, networks beside them and on other grids
`summaries`    records of several seeds, condensed for the notebook
`sections`     what the notebook measures while it runs, one call for each of its sections
"""

from equilibria.studies.navier_stokes.appendices import classical, head_start, other_grids
from equilibria.studies.navier_stokes.bounded import BOUND
from equilibria.studies.navier_stokes.evaluation import (
    ALONG,
    SPEEDS,
    at_speed,
    evaluate,
    evaluate_all,
)
from equilibria.studies.navier_stokes.measures import (
    TEST_STEPS,
    answer,
    errors_along_t,
    local_along_t,
    predictions_along_t,
    radius_at_rest,
    relative_error,
    solved,
)
from equilibria.studies.navier_stokes.probes import LOCAL_FLOWS, LOCAL_T
from equilibria.studies.navier_stokes.protocols import (
    PERCENTILES,
    lipschitz_along_t,
    perturbations,
    physical_directions,
    released_forcing,
    released_lipschitz,
    released_waves,
    wavenumbers,
)
from equilibria.studies.navier_stokes.recipes import (
    DEPTHS,
    RECIPES,
    RECORDS,
    VISCOSITIES,
    WIDTHS,
    Declared,
    FlowSet,
    Model,
    Recipe,
    declared,
    load,
    names,
    new,
    reports,
    seeds,
    test_set,
)
from equilibria.studies.navier_stokes.sections import (
    KINDS,
    measure_answers,
    measure_becoming,
    measure_other_flows,
    measure_problem,
    measure_rest,
    measure_solve,
    measure_solvers,
    measure_steepness,
    measure_table,
    measure_table_5,
    measure_two_states,
    shipped,
)
from equilibria.studies.navier_stokes.summaries import (
    SAME_PLACE,
    along_t,
    at_rest,
    bounded_pair,
    by_viscosity,
    decisions,
    mean_error,
    places,
    steepness,
    summary,
    table_5,
)
from equilibria.studies.navier_stokes.surveys import recorded_survey, survey
from equilibria.studies.navier_stokes.training_flows import TrainingFlows, turned
from equilibria.studies.navier_stokes.trainings import (
    UNROLLED,
    compiled,
    train,
    training_bytes,
)
from equilibria.studies.navier_stokes.visits import FREE, GRADED, VISIT, FlowPool, pool_loss

__all__ = [
    "ALONG",
    "BOUND",
    "DEPTHS",
    "FREE",
    "GRADED",
    "KINDS",
    "LOCAL_FLOWS",
    "LOCAL_T",
    "PERCENTILES",
    "RECIPES",
    "RECORDS",
    "SAME_PLACE",
    "SPEEDS",
    "TEST_STEPS",
    "UNROLLED",
    "VISCOSITIES",
    "VISIT",
    "WIDTHS",
    "Declared",
    "FlowPool",
    "FlowSet",
    "Model",
    "Recipe",
    "TrainingFlows",
    "along_t",
    "answer",
    "at_rest",
    "at_speed",
    "bounded_pair",
    "by_viscosity",
    "classical",
    "compiled",
    "decisions",
    "declared",
    "errors_along_t",
    "evaluate",
    "evaluate_all",
    "head_start",
    "lipschitz_along_t",
    "load",
    "local_along_t",
    "mean_error",
    "measure_answers",
    "measure_becoming",
    "measure_other_flows",
    "measure_problem",
    "measure_rest",
    "measure_solve",
    "measure_solvers",
    "measure_steepness",
    "measure_table",
    "measure_table_5",
    "measure_two_states",
    "names",
    "new",
    "other_grids",
    "perturbations",
    "physical_directions",
    "places",
    "pool_loss",
    "predictions_along_t",
    "radius_at_rest",
    "recorded_survey",
    "relative_error",
    "released_forcing",
    "released_lipschitz",
    "released_waves",
    "reports",
    "seeds",
    "shipped",
    "solved",
    "steepness",
    "summary",
    "survey",
    "table_5",
    "test_set",
    "train",
    "training_bytes",
    "turned",
    "wavenumbers",
]
