"""The reader's own programs, from arrays or from an MPS file."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse  # type: ignore[import-untyped]  # SciPy ships no types

from equilibria.checks import require
from equilibria.problems.linear_programs.labels import solve
from equilibria.problems.linear_programs.mps import check_mps
from equilibria.problems.linear_programs.programs import (
    Floats,
    LinearProgramError,
    LinearPrograms,
    Row,
    stack,
)

__all__ = ["from_arrays", "from_mps"]

_SENSES = ("<=", ">=", "=")


def from_arrays(
    A: ArrayLike | sparse.sparray | sparse.spmatrix,
    b: ArrayLike,
    c: ArrayLike,
    l: ArrayLike,  # noqa: E741 (the paper's symbol)
    u: ArrayLike,
    senses: Sequence[str],
    *,
    solved: bool = True,
) -> LinearPrograms:
    """One program of the reader's, as a batch of one.

    A (m, n) is dense or a SciPy sparse matrix, b is (m,), c, l and u are (n,). Bounds may be
    infinite. ``senses`` holds "<=", ">=" or "=" per row; a ">=" row is stored negated. The label
    is NaN unless ``solved``.

    Raises `LinearProgramError`, which names the argument, for wrong shapes, NaN or infinite
    numbers, l > u and unknown senses; also for an infeasible or unbounded program if ``solved``.
    """
    matrix = _matrix(A)
    m, n = matrix.shape
    right = _vector("b", b, m, matrix, bounds=False)
    cost = _vector("c", c, n, matrix, bounds=False)
    lower = _vector("l", l, n, matrix, bounds=True)
    upper = _vector("u", u, n, matrix, bounds=True)
    _check_bounds(lower, upper)
    known = len(senses) == m and set(senses) <= set(_SENSES)
    need = f"{m} of {', '.join(map(repr, _SENSES))}"
    require(known, "senses", list(senses), need, LinearProgramError)
    # a'y >= b is stored as (-a)'y <= -b.
    flipped = np.array([sense == ">=" for sense in senses])
    matrix[flipped] = -matrix[flipped]
    right[flipped] = -right[flipped]
    rows, columns = np.nonzero(matrix)
    program = Row(
        rows=rows,
        columns=columns,
        values=matrix[rows, columns],
        b=right,
        equality=np.array([sense == "=" for sense in senses]),
        c=cost,
        l=lower,
        u=upper,
        y=np.full(n, np.nan),
        objective=np.nan,
    )
    batch = stack([program])
    return solve(batch, progress=False) if solved else batch


def from_mps(path: str | Path, *, solved: bool = True) -> LinearPrograms:
    """The program in an MPS file, through `from_arrays`, with the label if ``solved``.

    A row with two finite sides becomes two rows, and a maximisation is negated. Raises
    `LinearProgramError`, which names line or section, for a file that is cut off or damaged, and
    for what no linear program has, such as integer variables and a quadratic objective.
    """
    model = _read_model(Path(path))
    A = _model_matrix(model)
    low, high = np.array(model.row_lower_), np.array(model.row_upper_)
    equal = low == high
    below = (high < np.inf) & ~equal
    above = (low > -np.inf) & ~equal
    return from_arrays(
        np.concatenate([A[equal], A[below], A[above]]),
        np.concatenate([high[equal], high[below], low[above]]),
        _minimised_cost(model),
        np.array(model.col_lower_),
        np.array(model.col_upper_),
        ["="] * equal.sum() + ["<="] * below.sum() + [">="] * above.sum(),
        solved=solved,
    )


def _matrix(A: Any) -> Floats:
    matrix: Floats = np.array(A.toarray() if sparse.issparse(A) else A, dtype=float)
    if matrix.ndim != 2 or not matrix.size:
        raise LinearProgramError(
            f"A must be a matrix with at least one row and column, got shape {matrix.shape}"
        )
    _check_entries("A", matrix, np.isfinite(matrix), "finite numbers")
    return matrix


def _vector(name: str, value: ArrayLike, length: int, A: Floats, *, bounds: bool) -> Floats:
    """The argument ``name`` as an array of its own; ``bounds`` may be infinite."""
    vector: Floats = np.array(value, dtype=float)
    if vector.shape != (length,):
        raise LinearProgramError(
            f"{name} must have shape ({length},) to match A {A.shape}, got {vector.shape}"
        )
    if bounds:
        _check_entries(name, vector, ~np.isnan(vector), "numbers")
    else:
        _check_entries(name, vector, np.isfinite(vector), "finite numbers")
    return vector


def _check_entries(name: str, array: Floats, allowed: NDArray[np.bool_], need: str) -> None:
    if allowed.all():
        return
    place = tuple(int(index) for index in np.argwhere(~allowed)[0])
    where = f"index {place[0]}" if len(place) == 1 else str(place)
    raise LinearProgramError(f"{name} must hold {need}, got {array[place]} at {where}")


def _check_bounds(lower: Floats, upper: Floats) -> None:
    crossed = np.flatnonzero(lower > upper)
    if len(crossed):
        j = int(crossed[0])
        raise LinearProgramError(
            f"l must not exceed u, got l = {lower[j]} and u = {upper[j]} at index {j}"
        )


def _read_model(path: Path) -> Any:
    """HiGHS's own form of the program in ``path``."""
    import highspy

    if not path.is_file():
        raise LinearProgramError(f"path: there is no file {path}")
    check_mps(path)
    reader = highspy.Highs()  # type: ignore[no-untyped-call]  # highspy's types are incomplete
    reader.setOptionValue("log_to_console", False)
    with tempfile.TemporaryDirectory(prefix="eq-") as folder:
        log = Path(folder) / "log"
        reader.setOptionValue("log_file", str(log))
        status = reader.readModel(str(path))
        reader.setOptionValue("log_file", "")
        said = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    # HiGHS warns of what it leaves out, and calls the result fine.
    warning = re.search(r"^(WARNING|ERROR): *(.+)$", said, re.MULTILINE)
    if status != highspy.HighsStatus.kOk or warning is not None:
        reason = warning[2] if warning is not None else "HiGHS does not say why"
        raise LinearProgramError(f"path: {path} is not a readable MPS file: {reason}")
    model = reader.getLp()
    if model.offset_ != 0:
        raise LinearProgramError(
            f"path: {path}, section RHS: the objective has a constant, {-model.offset_:g}, for "
            "which there is no place here; take it out"
        )
    return model


def _model_matrix(model: Any) -> Floats:
    import highspy

    by_columns = model.a_matrix_.format_ == highspy.MatrixFormat.kColwise
    layout = sparse.csc_array if by_columns else sparse.csr_array
    content = (model.a_matrix_.value_, model.a_matrix_.index_, model.a_matrix_.start_)
    matrix: Floats = layout(content, shape=(model.num_row_, model.num_col_)).toarray()
    return matrix


def _minimised_cost(model: Any) -> Floats:
    import highspy

    sign = -1.0 if model.sense_ == highspy.ObjSense.kMaximize else 1.0
    return sign * np.array(model.col_cost_)
