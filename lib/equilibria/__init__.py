"""Implicit models y* = G(y*, x): solve them, differentiate them, measure their regularity."""

from . import lipschitz, regularity
from .adjoints import Implicit, JacobianFree, Phantom, Unrolled, equilibrium
from .solvers import (
    Anderson,
    Broyden,
    NewtonKrylov,
    Picard,
    Solution,
    SolveError,
    Status,
    solve,
    trajectory,
)

__version__ = "0.1.0"

__all__ = [
    "Anderson",
    "Broyden",
    "Implicit",
    "JacobianFree",
    "NewtonKrylov",
    "Phantom",
    "Picard",
    "Solution",
    "SolveError",
    "Status",
    "Unrolled",
    "equilibrium",
    "lipschitz",
    "regularity",
    "solve",
    "trajectory",
]
