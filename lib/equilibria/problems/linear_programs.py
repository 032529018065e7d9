"""Linear programs with solved labels (paper section 5.3, Table 1, Figs. 6-7).

min c'y  subject to  A y (<= or =) b,  l <= y <= u.

| symbol | field of `LinearPrograms` | shape |
|---|---|---|
| A | `rows`, `columns`, `values`: the nonzeros, sorted by (row, column) | (B, K) |
| b, sense | `b`, `equality` (True: "=", False: "<=") | (B, m) |
| c, l, u | `c`, `l`, `u` | (B, n) |
| y* | `y`, label by HiGHS, of minimal norm where the optimum is not unique; `objective` = c'y* | (B, n), (B,) |

All float64. A batch holds programs of one size; K may contain explicit zeros.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import warnings
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields, replace
from itertools import count as counter
from itertools import repeat
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from scipy import sparse
from scipy.optimize import LinearConstraint, linprog, minimize
from tqdm.auto import tqdm

from equilibria.files import DataError

__all__ = [
    "KINDS",
    "LinearProgramError",
    "LinearPrograms",
    "from_arrays",
    "from_mps",
    "generate",
    "generate_cached",
    "perturb",
    "read",
    "solve",
    "write",
]

KINDS = (
    "A",
    "b",
    "c",
    "l",
    "u",
)  # the five inputs that the Lipschitz protocol perturbs, one at a time
_TOLERANCE = 1e-6  # largest accepted violation and duality gap of a label, relative to the size of the numbers
_CHUNK = 64  # candidates drawn from one seed: the draw does not depend on the number of workers


class LinearProgramError(DataError):
    """An LP without a label (infeasible, unbounded, not finite, malformed) or a file that cannot be trusted."""


@dataclass(frozen=True)
class LinearPrograms:
    """A batch of B solved linear programs of one size; see the table above for the fields."""

    rows: torch.Tensor
    columns: torch.Tensor
    values: torch.Tensor
    b: torch.Tensor
    equality: torch.Tensor
    c: torch.Tensor
    l: torch.Tensor  # noqa: E741 (the paper's symbol)
    u: torch.Tensor
    y: torch.Tensor
    objective: torch.Tensor

    def __len__(self) -> int:
        return len(self.c)

    def __getitem__(self, index) -> LinearPrograms:
        """The programs at `index` (slice, list or integer tensor), as a batch."""
        if isinstance(index, int):
            index = [index]
        return LinearPrograms(**{f.name: getattr(self, f.name)[index] for f in fields(self)})

    def dense(self) -> torch.Tensor:
        """A as a dense tensor (B, m, n)."""
        B, m, n = len(self), self.b.shape[1], self.c.shape[1]
        A = self.values.new_zeros(B, m * n)
        return A.scatter_add_(1, self.rows * n + self.columns, self.values).view(B, m, n)

    def violation(self, y: torch.Tensor) -> torch.Tensor:
        """Largest violation of a constraint or bound by y (B, n), per program (B,)."""
        slack = (self.dense() @ y.to(self.values)[..., None])[..., 0] - self.b
        slack = torch.where(self.equality, slack.abs(), slack.clamp(min=0))
        bounds = torch.maximum(self.l - y, y - self.u).clamp(min=0)
        return torch.maximum(slack.amax(1), bounds.amax(1))

    def to_hetero(self, i: int):
        """Program i as PyTorch Geometric's HeteroData: node types `variable` (c, l, u; label y) and `constraint`
        (b, is-equality), one edge type with the nonzeros of A as `edge_attr`.
        """
        from torch_geometric.data import HeteroData

        data = HeteroData()
        data["variable"].x = torch.stack([self.c[i], self.l[i], self.u[i]], 1)
        data["variable"].y = self.y[i]
        data["constraint"].x = torch.stack([self.b[i], self.equality[i].to(self.b)], 1)
        data["variable", "in", "constraint"].edge_index = torch.stack(
            [self.columns[i], self.rows[i]]
        )
        data["variable", "in", "constraint"].edge_attr = self.values[i]
        return data


# ---------------------------------------------------------------------------------------------------- one program
def _solve_one(A, b, equality, c, l, u):  # noqa: E741
    """(status, y, objective): HiGHS's optimum, checked, of minimal norm; status is HiGHS's own (0 solved, 2 infeasible)."""
    m_in, m_eq = ~equality, equality
    result = linprog(
        c,
        A[m_in] if m_in.any() else None,
        b[m_in] if m_in.any() else None,
        A[m_eq] if m_eq.any() else None,
        b[m_eq] if m_eq.any() else None,
        np.column_stack([l, u]),
        method="highs",
    )
    if result.status != 0:
        return result.status, None, result.message
    y, dual = result.x, np.zeros(len(b))
    dual[m_in] = result.ineqlin.marginals if m_in.any() else 0
    dual[m_eq] = result.eqlin.marginals if m_eq.any() else 0
    lower, upper = result.lower.marginals, result.upper.marginals
    # Weak duality closes: primal and dual objectives agree, and y obeys every constraint.
    slack = A @ y - b
    violation = max(0.0, *np.where(equality, np.abs(slack), slack), *(l - y), *(y - u))
    finite = lambda x: np.where(np.isfinite(x), x, 0.0)  # noqa: E731 (an infinite bound has no multiplier)
    gap = abs(c @ y - (b @ dual + finite(l) @ lower + finite(u) @ upper))
    scale = 1 + np.abs(y).max()
    if violation > _TOLERANCE * scale or gap > _TOLERANCE * (
        scale if abs(c @ y) < 1 else abs(c @ y)
    ):
        return -1, None, f"HiGHS's answer has violation {violation:.1e} and duality gap {gap:.1e}"
    y = _minimal_norm(A, b, equality, l, u, y, dual, c - A.T @ dual)
    return 0, y, float(c @ y)


def _minimal_norm(A, b, equality, l, u, y, dual, reduced):  # noqa: E741
    """The optimum of least norm. By complementarity the optimal face is: y_j fixed where the reduced cost is not
    zero, rows with a multiplier tight. Mostly that leaves one point, which a rank tells without another solve.
    """
    zero = 1e-9 * max(np.abs(reduced).max(), 1e-30)
    free = (np.abs(reduced) <= zero) & (u - l > 0)
    tight = equality | (np.abs(dual) > 1e-12)
    if not free.any():
        return y
    face = A[tight][:, free]
    if len(face) and np.linalg.matrix_rank(face) == free.sum():
        return y
    loose = A[~tight][:, free]
    fixed = A[:, ~free] @ y[~free]
    constraints = []
    if tight.any():
        constraints.append(LinearConstraint(face, (b - fixed)[tight], (b - fixed)[tight]))
    if (~tight).any():
        constraints.append(LinearConstraint(loose, -np.inf, (b - fixed)[~tight]))
    start = y[free]
    result = minimize(
        lambda v: 0.5 * v @ v,
        start,
        jac=lambda v: v,
        bounds=np.column_stack([l, u])[free],
        constraints=constraints,
        method="SLSQP",
        options={"ftol": 1e-15, "maxiter": 500},
    )
    # SLSQP may stop at its line search with the answer in hand: accept what is feasible and shorter, keep HiGHS's otherwise.
    least = y.copy()
    least[free] = np.clip(result.x, l[free], u[free])
    slack = A @ least - b
    feasible = max(0.0, *np.where(equality, np.abs(slack), slack)) <= 1e-7 * (1 + np.abs(y).max())
    return least if feasible and np.linalg.norm(least) < np.linalg.norm(y) else y


# ------------------------------------------------------------------------------------------------------- many programs
def _draw(
    seed: int, chunk: int, variables: int, constraints: int, nonzeros: int, probability: float
):
    """`_CHUNK` candidate programs as the paper draws them, labelled where feasible."""
    rng = np.random.default_rng([seed, chunk])
    kept = []
    for _ in range(_CHUNK):
        places = np.sort(rng.choice(variables * constraints, nonzeros, replace=False))
        values = rng.normal(size=nonzeros)
        c = 0.01 * rng.uniform(-1, 1, variables)
        b = rng.uniform(-1, 1, constraints)
        l, u = np.sort(rng.normal(0, 10, (2, variables)), axis=0)  # noqa: E741
        equality = rng.random(constraints) < probability
        A = np.zeros(variables * constraints)
        A[places] = values
        status, y, objective = _solve_one(A.reshape(constraints, variables), b, equality, c, l, u)
        if status == 0:
            kept.append(
                (
                    places // variables,
                    places % variables,
                    values,
                    b,
                    equality,
                    c,
                    l,
                    u,
                    y,
                    objective,
                )
            )
    return kept


def _stack(programs) -> LinearPrograms:
    return LinearPrograms(
        *(torch.from_numpy(np.stack([np.asarray(v) for v in column])) for column in zip(*programs))
    )


def _workers():
    """A pool whose children only run NumPy and HiGHS; forked, so that an unguarded script or a notebook may call."""
    start = "fork" if "fork" in multiprocessing.get_all_start_methods() else "spawn"
    return ProcessPoolExecutor(os.cpu_count(), mp_context=multiprocessing.get_context(start))


def _check_sizes(**sizes) -> None:
    for name, value in sizes.items():
        if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < 1:
            raise ValueError(f"{name} must be a positive integer, got {value!r}")


def generate(
    count: int,
    *,
    variables: int = 50,
    constraints: int = 10,
    nonzeros: int = 100,
    equality_probability: float = 0.3,
    seed: int,
    progress: bool = True,
) -> LinearPrograms:
    """`count` feasible random LPs with labels, drawn as in the paper (paper, section 5.3).

    A has `nonzeros` entries N(0, 1) at random places; c ~ 0.01 U(-1, 1), b ~ U(-1, 1); l <= u two sorted draws of
    N(0, 10^2); each row an equality with `equality_probability`. Infeasible draws are dropped (about 45 %).
    The first k programs are the same for every count >= k. Raises ValueError for an impossible size or seed.
    """
    _check_sizes(count=count, variables=variables, constraints=constraints, nonzeros=nonzeros)
    if nonzeros > variables * constraints:
        raise ValueError(
            f"nonzeros must be at most variables * constraints = {variables * constraints}, got {nonzeros}"
        )
    if not 0 <= equality_probability <= 1:
        raise ValueError(f"equality_probability must lie in [0, 1], got {equality_probability!r}")
    if not isinstance(seed, (int, np.integer)) or seed < 0:
        raise ValueError(f"seed must be a non-negative integer, got {seed!r}")
    kept = []
    settings = [repeat(v) for v in (variables, constraints, nonzeros, equality_probability)]
    with tqdm(
        total=count,
        desc="linear programs",
        unit="LP",
        disable=not progress,
        leave=False,
        mininterval=2,
    ) as bar:
        if count <= _CHUNK:  # not worth a pool
            chunks = (
                _draw(seed, i, variables, constraints, nonzeros, equality_probability)
                for i in counter()
            )
            kept = _take(chunks, count, bar)
        else:
            with (
                warnings.catch_warnings()
            ):  # Python 3.12 warns of a fork beside threads; the children use none of them
                warnings.simplefilter("ignore", DeprecationWarning)
                with _workers() as pool:

                    def chunks():
                        for first in counter(0, 16):
                            yield from pool.map(
                                _draw, repeat(seed, 16), range(first, first + 16), *settings
                            )

                    kept = _take(chunks(), count, bar)
    return _stack(kept)


def _take(chunks, count, bar):
    kept, empty = [], 0
    for chunk in chunks:
        kept += chunk
        empty = 0 if chunk else empty + 1
        bar.update(min(len(chunk), count - bar.n))
        if len(kept) >= count:
            return kept[:count]
        if empty == 16:
            raise LinearProgramError(
                f"no feasible program among the last {16 * _CHUNK} draws: the sizes admit next to none"
            )


def _solve_arrays(arguments):
    return _solve_one(*arguments)


def solve(programs: LinearPrograms, *, progress: bool = True) -> LinearPrograms:
    """The same programs with fresh labels. Raises LinearProgramError at the first that has no optimum, naming it."""
    A = programs.dense().numpy()
    rest = [getattr(programs, k).numpy() for k in ("b", "equality", "c", "l", "u")]
    jobs = list(zip(A, *rest))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        if len(jobs) <= _CHUNK:
            solved = [_solve_one(*job) for job in jobs]
        else:
            with _workers() as pool:
                solved = list(
                    tqdm(
                        pool.map(_solve_arrays, jobs, chunksize=32),
                        total=len(jobs),
                        desc="solving",
                        unit="LP",
                        disable=not progress,
                        leave=False,
                        mininterval=2,
                    )
                )
    for i, (status, _, message) in enumerate(solved):
        if status != 0:
            reason = {2: "is infeasible", 3: "is unbounded"}.get(
                status, f"was not solved ({message})"
            )
            raise LinearProgramError(f"program {i} {reason}: it has no label")
    return replace(
        programs,
        y=torch.from_numpy(np.stack([s[1] for s in solved])),
        objective=torch.tensor([s[2] for s in solved], dtype=torch.float64),
    )


def perturb(
    programs: LinearPrograms, kind: str, *, norm: float = 1e-4, seed: int
) -> LinearPrograms:
    """Copies whose input `kind` ("A", "b", "c", "l" or "u") is moved by `norm` in a random direction, one direction
    per program (A: on its nonzeros). The labels are NOT changed: `solve` gives those. Lipschitz protocol, paper, section 5.3.
    """
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {KINDS}, got {kind!r}")
    if not norm > 0:
        raise ValueError(f"norm must be positive, got {norm!r}")
    name = "values" if kind == "A" else kind
    field = getattr(programs, name)
    direction = torch.from_numpy(
        np.random.default_rng([seed, KINDS.index(kind)]).normal(size=field.shape)
    )
    moved = field + norm * direction / direction.norm(dim=1, keepdim=True)
    return replace(programs, **{name: moved})


# ------------------------------------------------------------------------------------------------------- the user's own
def from_arrays(A, b, c, l, u, senses, *, solved: bool = True) -> LinearPrograms:  # noqa: E741
    """One LP of the user's, as a batch of one. A (m, n) dense or SciPy sparse, b (m,), c, l, u (n,); l and u may be infinite;
    `senses`: one of "<=", ">=", "=" per row (a ">=" row is stored negated).

    Raises LinearProgramError, naming the argument, for wrong shapes, NaN or infinite numbers, l > u, an unknown sense,
    and for an infeasible or unbounded program: those never get a label. `solved=False` leaves the label NaN.
    """
    A = np.array(A.toarray() if sparse.issparse(A) else A, dtype=float)
    if A.ndim != 2 or not A.size:
        raise LinearProgramError(
            f"A must be a matrix with at least one row and column, got shape {A.shape}"
        )
    m, n = A.shape
    vectors = {"b": b, "c": c, "l": l, "u": u}
    for name, length in {"b": m, "c": n, "l": n, "u": n}.items():
        vectors[name] = np.array(vectors[name], dtype=float)
        if vectors[name].shape != (length,):
            raise LinearProgramError(
                f"{name} must have shape ({length},) to match A {A.shape}, got {vectors[name].shape}"
            )
        allowed = np.isfinite(vectors[name]) if name in "bc" else ~np.isnan(vectors[name])
        if not allowed.all():
            raise LinearProgramError(
                f"{name} has {vectors[name][~allowed][0]} at index {int(np.flatnonzero(~allowed)[0])}"
            )
    if not np.isfinite(A).all():
        raise LinearProgramError(
            f"A has {A[~np.isfinite(A)][0]} at {tuple(int(i) for i in np.argwhere(~np.isfinite(A))[0])}"
        )
    b, c, l, u = vectors["b"], vectors["c"], vectors["l"], vectors["u"]  # noqa: E741
    if (l > u).any():
        j = int(np.flatnonzero(l > u)[0])
        raise LinearProgramError(f"l exceeds u at index {j}: {l[j]} > {u[j]}")
    if len(senses) != m or not set(senses) <= {"<=", ">=", "="}:
        raise LinearProgramError(f"senses must be {m} of '<=', '>=', '=', got {list(senses)!r}")
    flip = np.array([s == ">=" for s in senses])
    A[flip], b[flip] = -A[flip], -b[flip]
    rows, columns = np.nonzero(A)
    one = _stack(
        [
            (
                rows,
                columns,
                A[rows, columns],
                b,
                np.array([s == "=" for s in senses]),
                c,
                l,
                u,
                np.full(n, np.nan),
                np.nan,
            )
        ]
    )
    return solve(one, progress=False) if solved else one


def from_mps(path: str | Path, *, solved: bool = True) -> LinearPrograms:
    """The LP in an MPS file, through `from_arrays`. A row with two finite sides becomes two rows; a maximisation is
    negated; integer columns are refused. Raises LinearProgramError when HiGHS cannot read the file.
    """
    import highspy

    path = Path(path)
    if not path.is_file():
        raise LinearProgramError(f"path: there is no file {path}")
    reader = highspy.Highs()
    reader.setOptionValue("output_flag", False)
    if reader.readModel(str(path)) == highspy.HighsStatus.kError:
        raise LinearProgramError(f"path: {path} is not a readable MPS file")
    lp = reader.getLp()
    if any(kind != highspy.HighsVarType.kContinuous for kind in lp.integrality_):
        raise LinearProgramError(
            f"path: {path} has integer variables; this is a library of linear programs"
        )
    n, m = lp.num_col_, lp.num_row_
    form = (
        sparse.csc_array
        if lp.a_matrix_.format_ == highspy.MatrixFormat.kColwise
        else sparse.csr_array
    )
    A = form(
        (lp.a_matrix_.value_, lp.a_matrix_.index_, lp.a_matrix_.start_), shape=(m, n)
    ).toarray()
    low, high = np.array(lp.row_lower_), np.array(lp.row_upper_)
    equal, below, above = (
        low == high,
        (high < np.inf) & (low != high),
        (low > -np.inf) & (low != high),
    )
    sign = -1.0 if lp.sense_ == highspy.ObjSense.kMaximize else 1.0
    return from_arrays(
        np.concatenate([A[equal], A[below], A[above]]),
        np.concatenate([high[equal], high[below], low[above]]),
        sign * np.array(lp.col_cost_),
        np.array(lp.col_lower_),
        np.array(lp.col_upper_),
        ["="] * equal.sum() + ["<="] * below.sum() + [">="] * above.sum(),
        solved=solved,
    )


# ------------------------------------------------------------------------------------------------------------- files
def _checksum(tensors: dict[str, torch.Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(name.encode() + np.ascontiguousarray(tensors[name].numpy()).tobytes())
    return digest.hexdigest()


def write(programs: LinearPrograms, path: str | Path, *, recipe: dict | None = None) -> None:
    """Write a safetensors file with the sha256 of its content and the `recipe` that made it; whole or not at all."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors = {f.name: getattr(programs, f.name).contiguous() for f in fields(programs)}
    partial = path.with_suffix(f".{os.getpid()}.part")
    save_file(
        tensors,
        partial,
        metadata={"sha256": _checksum(tensors), "recipe": json.dumps(recipe, sort_keys=True)},
    )
    os.replace(partial, path)


def read(path: str | Path, *, recipe: dict | None = None) -> LinearPrograms:
    """Read what `write` wrote. Raises LinearProgramError, naming the file, when it is damaged, foreign, or made by
    another recipe than the one given.
    """
    from safetensors import safe_open

    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
        tensors = load_file(path)
    except (SafetensorError, OSError) as error:
        raise LinearProgramError(f"{path} is not a readable data file ({error})") from error
    if set(tensors) != {f.name for f in fields(LinearPrograms)} or metadata.get(
        "sha256"
    ) != _checksum(tensors):
        raise LinearProgramError(
            f"{path} is damaged or foreign: its checksum does not match its content"
        )
    if recipe is not None and metadata.get("recipe") != json.dumps(recipe, sort_keys=True):
        raise LinearProgramError(f"{path} was made by another recipe: {metadata.get('recipe')}")
    return LinearPrograms(**tensors)


def generate_cached(count: int, *, folder: str | Path, seed: int, **settings) -> LinearPrograms:
    """`generate`, kept in `folder` under a name that covers every setting. A file that is damaged, foreign or of another
    recipe is named in a warning and made again, never used.
    """
    recipe = {
        "count": count,
        "seed": seed,
        "version": 1,
        **{k: v for k, v in settings.items() if k != "progress"},
    }
    key = hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()[:12]
    path = Path(folder) / f"{count}-{key}.safetensors"
    if path.exists():
        try:
            return read(path, recipe=recipe)
        except LinearProgramError as error:
            warnings.warn(f"{error}; it is made again", stacklevel=2)
    programs = generate(count, seed=seed, **settings)
    write(programs, path, recipe=recipe)
    return programs
