"""Solvers of y = G(y, x): one loop, and the methods that plug into it."""

from equilibria.solvers.loop import (
    Anderson,
    Broyden,
    Method,
    NewtonKrylov,
    Picard,
    Solution,
    SolveError,
    Status,
    solve,
    trajectory,
)

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
