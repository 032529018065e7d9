"""The methods that tests of every method run, and a name for each."""

from __future__ import annotations

from equilibria import Anderson, Broyden, NewtonKrylov, Picard
from equilibria.solvers import Method

METHODS = [
    Picard(),
    Picard(damping=0.7),
    Anderson(),
    Anderson(damping=0.6),
    Broyden(),
    Broyden(damping=0.6),
    NewtonKrylov(),
]
ACCELERATED = [method for method in METHODS if not isinstance(method, Picard)]


def method_name(method: Method) -> str:
    """Such as Anderson-0.6."""
    return f"{type(method).__name__}-{getattr(method, 'damping', '')}"
