"""Reasoning with a looped transformer: what is trained, and what notebook 05 measures.

`reasoning`    running parity and running sums, where right and wrong are known, and so is the
               Lipschitz constant of the target
`loops`        what is measured of any looped model
`asking`       a question in one's own words, to a checkpoint in Huginn's format
`huginn_pairs` contrast pairs, asked of such a checkpoint: Figs. 8-9 and Table 2
`models`       which models there are, and where trained ones are kept
`trainings`    `train`
`evaluation`   what finished models do on the test questions, recorded: `evaluate_all`
`measurements` what notebook 05 measures, one call per section

The profile ``quick`` trains for a few steps, to try the machinery out; ``paper`` is what is
shipped. The notebook reads from the records what it cannot compute again within its minutes.
"""

from equilibria.studies.language import loops, reasoning
from equilibria.studies.language.evaluation import evaluate, evaluate_all
from equilibria.studies.language.huginn_pairs import ask_huginn
from equilibria.studies.language.measurements import (
    first_shipped,
    measure_broken,
    measure_flips,
    measure_right,
)
from equilibria.studies.language.models import RECORDS, load, names, new, reports, seeds
from equilibria.studies.language.trainings import train

__all__ = [
    "RECORDS",
    "ask_huginn",
    "evaluate",
    "evaluate_all",
    "first_shipped",
    "load",
    "loops",
    "measure_broken",
    "measure_flips",
    "measure_right",
    "names",
    "new",
    "reasoning",
    "reports",
    "seeds",
    "train",
]
