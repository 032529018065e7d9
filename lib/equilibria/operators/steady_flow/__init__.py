"""The steady Navier-Stokes equation as an implicit operator, and classical solvers of it.

==================  ===============================================================================
`operator`          G(w, c) = (nu lap)^-1 (u.grad w - c), an operator for `equilibria.solve`
`steady_state`      vorticity from forcing, by a method of `solve` or from rest along a continuation
`another_state`     what the solver finds under the forcing that a given flow belongs to
`other_states`      the same from many starts: the farthest second flow under one forcing
`Galerkin`          the equation on few wavenumbers, dense; `refine` uses its derivative
==================  ===============================================================================

Fields and notation are those of `equilibria.problems.flow_equation`.
"""

from equilibria.operators.steady_flow.galerkin import Galerkin
from equilibria.operators.steady_flow.other_states import another_state, other_states
from equilibria.operators.steady_flow.picard import operator
from equilibria.operators.steady_flow.solver import COARSE, refine, steady_state

__all__ = [
    "COARSE",
    "Galerkin",
    "another_state",
    "operator",
    "other_states",
    "refine",
    "steady_state",
]
