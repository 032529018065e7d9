"""What a solve returns: the state, how each sample ended, and the trace of its residuals."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from torch import Tensor

__all__ = ["Solution", "SolveError", "Status"]

SAMPLES_SHOWN = 8  # how many failed samples an error message names


class Status(enum.IntEnum):
    """How a sample ended; `Solution.status` holds these codes."""

    SUCCESS = 0  # it reached tol or, with tol=None, spent exactly its budget
    BUDGET_SPENT = 1  # a tol was asked for, and max_steps came first
    DIVERGED = 2  # the residual grew beyond `equilibria.solvers.endings.DIVERGED_AT`
    STAGNATED = 3  # the residual stopped falling above tol
    NAN = 4  # G or the method produced NaN


ADVICE = {
    Status.BUDGET_SPENT: "raise max_steps, loosen tol, or use Anderson or NewtonKrylov",
    Status.DIVERGED: (
        "G is no contraction here: lower `damping`, use Anderson, Broyden or NewtonKrylov, "
        "or start nearer"
    ),
    Status.STAGNATED: (
        "tol may lie below what the dtype can resolve, or the iteration cycles: "
        "use float64, damping or another method"
    ),
    Status.NAN: "G returned NaN: check x and the domain of G, lower `damping`, or start nearer",
}


@dataclass(frozen=True)
class Solution:
    """The result of a solve of y = G(y, x), per sample.

    y          (B, ...). With tol=None it is the iterate y_t that follows the last of t = max_steps
               evaluations (Picard: G applied t times). With a tol, a solved sample's y is the very
               point whose residual passed; a sample that spent its budget has the iterate after
               its last evaluation; one that diverged, stagnated or met NaN has the last point
               evaluated, which is finite.
    status     (B,) int8, codes of `Status`
    steps      (B,) int64, evaluations of G made for this sample until its end
    residuals  (B, K) |G(y, x) - y| / |G(y, x)| at each evaluation, before damping; NaN after the
               sample's end. K is the largest entry of steps.
    """

    y: Tensor
    status: Tensor
    steps: Tensor
    residuals: Tensor

    @property
    def success(self) -> Tensor:
        """Which samples were solved, (B,) bool."""
        return self.status == Status.SUCCESS


class SolveError(RuntimeError):
    """At least one sample failed; `.solution` holds everything that was computed."""

    def __init__(self, solution: Solution, what: str = "solve") -> None:
        self.solution = solution
        failures = [_describe(solution, status) for status in ADVICE]
        super().__init__(f"{what} failed: " + "; ".join(filter(None, failures)))


def _describe(solution: Solution, status: Status) -> str:
    """Which samples ended with ``status``, and what to do about it; empty where none did."""
    failed = (solution.status == status).nonzero().flatten().tolist()
    if not failed:
        return ""
    names = ", ".join(str(index) for index in failed[:SAMPLES_SHOWN])
    if len(failed) > SAMPLES_SHOWN:
        names += ", ..."
    count = f"{len(failed)} of {len(solution.status)} samples"
    return f"{count} {status.name} (sample {names}): {ADVICE[status]}"
