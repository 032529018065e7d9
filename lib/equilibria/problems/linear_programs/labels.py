"""Labels by HiGHS: an optimum, checked, and the shortest one where there are several."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import (  # type: ignore[import-untyped]  # SciPy ships no types
    LinearConstraint,
    linprog,
    minimize,
)
from tqdm.auto import tqdm

from equilibria.problems.linear_programs.programs import (
    Floats,
    LinearProgramError,
    LinearPrograms,
    Program,
)
from equilibria.problems.linear_programs.workers import SMALL, worker_pool

__all__ = ["Failure", "Label", "label", "solve"]

# The largest violation and duality gap that a label may have, relative to the size of its numbers.
_TOLERANCE = 1e-6
_REASONS = {2: "is infeasible", 3: "is unbounded"}  # by HiGHS's status


@dataclass(frozen=True)
class Label:
    """A program's solution: y* (n,) and c'y*."""

    y: Floats
    objective: float


@dataclass(frozen=True)
class Failure:
    """Why a program has no label, to be read after its name: "is infeasible".

    unsolved  True where HiGHS gave up, so that an optimum may well exist
    """

    reason: str
    unsolved: bool


def solve(programs: LinearPrograms, *, progress: bool = True) -> LinearPrograms:
    """The same programs with fresh labels.

    Raises `LinearProgramError`, which names the first program that has no optimum.
    """
    answers = _label_all(_split(programs), progress)
    labels = []
    for i, answer in enumerate(answers):
        if isinstance(answer, Failure):
            raise LinearProgramError(f"program {i} {answer.reason}: it has no label")
        labels.append(answer)
    return replace(
        programs,
        y=torch.from_numpy(np.stack([answer.y for answer in labels])),
        objective=torch.tensor([answer.objective for answer in labels], dtype=torch.float64),
    )


def label(program: Program) -> Label | Failure:
    """HiGHS's optimum of one program, of least norm, once it has passed the checks.

    The checks are feasibility and weak duality: y obeys every constraint and bound, and the
    objectives of the program and of its dual agree.
    """
    result = _highs(program)
    if result.status != 0:
        if result.status in _REASONS:
            return Failure(_REASONS[result.status], unsolved=False)
        return Failure(f"was not solved ({result.message})", unsolved=True)
    y: Floats = result.x
    multipliers = _row_multipliers(program, result)
    violation = max(_row_violation(program, y), _bound_violation(program, y))
    # The dual objective: b'lambda + l'(multipliers of l) + u'(multipliers of u).
    dual_objective = (
        program.b @ multipliers
        + _finite(program.l) @ result.lower.marginals
        + _finite(program.u) @ result.upper.marginals
    )
    objective = program.c @ y
    gap = abs(objective - dual_objective)
    scale = 1 + np.abs(y).max()
    gap_scale = scale if abs(objective) < 1 else abs(objective)
    if violation > _TOLERANCE * scale or gap > _TOLERANCE * gap_scale:
        message = f"HiGHS's answer has violation {violation:.1e} and duality gap {gap:.1e}"
        return Failure(f"was not solved ({message})", unsolved=True)
    y = _shortest_optimum(program, y, multipliers)
    return Label(y, float(program.c @ y))


def _split(programs: LinearPrograms) -> list[Program]:
    A = programs.dense().numpy()
    b, equality = programs.b.numpy(), programs.equality.numpy()
    c, lower, upper = programs.c.numpy(), programs.l.numpy(), programs.u.numpy()
    return [
        Program(A[i], b[i], equality[i], c[i], lower[i], upper[i]) for i in range(len(programs))
    ]


def _label_all(programs: list[Program], progress: bool) -> list[Label | Failure]:
    if len(programs) <= SMALL:
        return [label(program) for program in programs]
    with worker_pool() as pool:
        answers = tqdm(
            pool.map(label, programs, chunksize=32),
            total=len(programs),
            desc="solving",
            unit="LP",
            disable=not progress,
            leave=False,
            mininterval=2,
        )
        return list(answers)


def _highs(program: Program) -> Any:
    """SciPy's result object; inequality and equality rows are handed over apart."""
    inequality, equality = ~program.equality, program.equality
    return linprog(
        program.c,
        program.A[inequality] if inequality.any() else None,
        program.b[inequality] if inequality.any() else None,
        program.A[equality] if equality.any() else None,
        program.b[equality] if equality.any() else None,
        np.column_stack([program.l, program.u]),
        method="highs",
    )


def _row_multipliers(program: Program, result: Any) -> Floats:
    """The multiplier of each row (m,), in the program's own order of rows."""
    multipliers = np.zeros(len(program.b))
    if (~program.equality).any():
        multipliers[~program.equality] = result.ineqlin.marginals
    if program.equality.any():
        multipliers[program.equality] = result.eqlin.marginals
    return multipliers


def _row_violation(program: Program, y: Floats) -> float:
    excess = program.A @ y - program.b
    return float(np.where(program.equality, np.abs(excess), excess).max(initial=0.0))


def _bound_violation(program: Program, y: Floats) -> float:
    return float(np.concatenate([program.l - y, y - program.u]).max(initial=0.0))


def _finite(bounds: Floats) -> Floats:
    """The bounds, with 0 for an infinite one, whose multiplier is 0."""
    return np.where(np.isfinite(bounds), bounds, 0.0)


def _shortest_optimum(program: Program, y: Floats, multipliers: Floats) -> Floats:
    """The optimum of least norm, given one optimum y and the multipliers of the rows.

    By complementarity, an optimum keeps y_j where the reduced cost of j is not zero, and it is
    tight in every row with a multiplier. Mostly that leaves one point, and a rank shows it.
    """
    # The reduced costs are c - A'lambda.
    reduced = program.c - program.A.T @ multipliers
    zero = 1e-9 * max(np.abs(reduced).max(), 1e-30)
    free = (np.abs(reduced) <= zero) & (program.u - program.l > 0)
    tight = program.equality | (np.abs(multipliers) > 1e-12)
    if not free.any():
        return y
    face = program.A[tight][:, free]
    if len(face) and np.linalg.matrix_rank(face) == free.sum():
        return y
    shortest = _shortest_on_face(program, y, free, tight)
    # SLSQP may stop in its line search with the answer in hand, so its status is not asked:
    # a feasible and shorter point is taken, otherwise HiGHS's own stays.
    feasible = _row_violation(program, shortest) <= 1e-7 * (1 + np.abs(y).max())
    shorter = np.linalg.norm(shortest) < np.linalg.norm(y)
    return shortest if feasible and shorter else y


def _shortest_on_face(
    program: Program, y: Floats, free: NDArray[np.bool_], tight: NDArray[np.bool_]
) -> Floats:
    """SLSQP's answer to: minimise |v|^2 / 2 over the free variables v, the others as in y."""
    remaining = program.b - program.A[:, ~free] @ y[~free]  # what the free variables must make
    constraints = []
    if tight.any():
        face = program.A[tight][:, free]
        constraints.append(LinearConstraint(face, remaining[tight], remaining[tight]))
    if (~tight).any():
        loose = program.A[~tight][:, free]
        constraints.append(LinearConstraint(loose, -np.inf, remaining[~tight]))
    result = minimize(
        _half_square,
        y[free],
        jac=_identity,
        bounds=np.column_stack([program.l, program.u])[free],
        constraints=constraints,
        method="SLSQP",
        options={"ftol": 1e-15, "maxiter": 500},
    )
    shortest = y.copy()
    shortest[free] = np.clip(result.x, program.l[free], program.u[free])
    return shortest


def _half_square(v: Floats) -> Floats:
    half: Floats = 0.5 * v @ v
    return half


def _identity(v: Floats) -> Floats:
    """The gradient of |v|^2 / 2."""
    return v
