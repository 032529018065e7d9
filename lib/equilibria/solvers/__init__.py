"""Solvers of y = G(y, x): one loop, and the methods that plug into it.

`loop` evaluates, records and stops; `picard`, `anderson`, `broyden` and `newton_krylov` hold one
method each, which `method` describes; `endings` says when a sample ends, `solution` what returns.
"""

from equilibria.solvers.anderson import Anderson
from equilibria.solvers.broyden import Broyden
from equilibria.solvers.loop import solve, trajectory
from equilibria.solvers.method import Method
from equilibria.solvers.newton_krylov import NewtonKrylov
from equilibria.solvers.picard import Picard
from equilibria.solvers.solution import Solution, SolveError, Status

__all__ = [
    "Anderson",
    "Broyden",
    "Method",
    "NewtonKrylov",
    "Picard",
    "Solution",
    "SolveError",
    "Status",
    "solve",
    "trajectory",
]
