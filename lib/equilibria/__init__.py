"""Implicit models y* = G(y*, x): solve them, differentiate them, measure how steep and how regular they are."""

from . import lipschitz, regularity
from .fixed_point import (
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
from .implicit import Implicit, JacobianFree, Phantom, Unrolled, equilibrium

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
