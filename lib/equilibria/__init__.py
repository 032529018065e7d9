"""Implicit models y* = G(y*, x): solve them, differentiate them, measure how steep and how regular they are."""

from . import lipschitz, regularity
from .fixed_point import Anderson, Broyden, Picard, Solution, SolveError, Status, solve, trajectory

__version__ = "0.1.0"

__all__ = [
    "Anderson",
    "Broyden",
    "Picard",
    "Solution",
    "SolveError",
    "Status",
    "lipschitz",
    "regularity",
    "solve",
    "trajectory",
]
