"""Figures of notebook 03: steady Navier-Stokes (paper, Figs. 4 and 5, Table 5).

Each function takes the dict of its results file; fields are (n, n) lists.

`fields`     pictures of flows and answers
`solvers`    classical solvers of the equation
`networks`   errors, and the networks' own loop
`steepness`  how steep the answers are
"""

from equilibria.companion.figures.navier_stokes.fields import flows, maps, two_states
from equilibria.companion.figures.navier_stokes.networks import (
    errors,
    far_beyond,
    physics,
    regularity,
    solve,
    sweep,
    transfer,
)
from equilibria.companion.figures.navier_stokes.solvers import classical, head_start, race
from equilibria.companion.figures.navier_stokes.steepness import steepness

__all__ = [
    "classical",
    "errors",
    "far_beyond",
    "flows",
    "head_start",
    "maps",
    "physics",
    "race",
    "regularity",
    "solve",
    "steepness",
    "sweep",
    "transfer",
    "two_states",
]
