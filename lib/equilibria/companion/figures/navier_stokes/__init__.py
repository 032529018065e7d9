"""Figures of notebook 03: steady Navier-Stokes (paper, Figs. 4 and 5, Table 5).

Each function takes the dict of its results file; fields are (n, n) lists.

`fields`     pictures of flows and answers
`solvers`    classical solvers of the equation
`networks`   errors, and the networks' own loop
`steepness`  how steep the answers are
`tables`     rows of the tables
"""

from equilibria.companion.figures.markdown import markdown
from equilibria.companion.figures.navier_stokes.fields import (
    becoming,
    becoming_player,
    flows,
    maps,
    two_states,
)
from equilibria.companion.figures.navier_stokes.networks import (
    errors,
    far_beyond,
    rest,
    solve,
    sweep,
    transfer,
    viscosity,
)
from equilibria.companion.figures.navier_stokes.solvers import classical, head_start, race
from equilibria.companion.figures.navier_stokes.steepness import (
    as_released,
    bounded_pair,
    decision,
    local_constants,
    steepness,
)
from equilibria.companion.figures.navier_stokes.tables import (
    bounded_rows,
    error_rows,
    rest_rows,
    table_5_rows,
    viscosity_rows,
)

__all__ = [
    "as_released",
    "becoming",
    "becoming_player",
    "bounded_pair",
    "bounded_rows",
    "classical",
    "decision",
    "error_rows",
    "errors",
    "far_beyond",
    "flows",
    "head_start",
    "local_constants",
    "maps",
    "markdown",
    "race",
    "rest",
    "rest_rows",
    "solve",
    "steepness",
    "sweep",
    "table_5_rows",
    "transfer",
    "two_states",
    "viscosity",
    "viscosity_rows",
]
