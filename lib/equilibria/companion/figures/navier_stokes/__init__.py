"""Figures of notebook 03: steady Navier-Stokes (paper, Figs. 4 and 5, Table 5).

Each function takes the dict of its results file; fields are (n, n) lists.

`fields`     pictures of flows and answers
`solvers`    classical solvers of the equation
`networks`   errors, and the networks' own loop
`steepness`  how steep the answers are
"""

from equilibria.companion.figures.navier_stokes.fields import becoming, flows, maps, two_states
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
from equilibria.companion.figures.navier_stokes.steepness import bounded_pair, decision, steepness

__all__ = [
    "becoming",
    "bounded_pair",
    "classical",
    "decision",
    "errors",
    "far_beyond",
    "flows",
    "head_start",
    "maps",
    "race",
    "rest",
    "solve",
    "steepness",
    "sweep",
    "transfer",
    "two_states",
    "viscosity",
]
