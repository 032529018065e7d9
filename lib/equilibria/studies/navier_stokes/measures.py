"""What a model of the study is asked: its answers, their errors, and how steep they are.

t is the number of iterations, z_t the latent state and y_t = decode(z_t) the vorticity after them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from equilibria import lipschitz
from equilibria.operators.fourier import ExplicitFNO, ImplicitFNO
from equilibria.problems.flow_data import VISCOSITY
from equilibria.problems.flow_equation import linearised
from equilibria.problems.flow_grid import half_plane, waves
from equilibria.solvers import Anderson, Method, Solution, solve, trajectory

__all__ = [
    "PERCENTILES",
    "TEST_STEPS",
    "answer",
    "errors_along_t",
    "lipschitz_along_t",
    "local_along_t",
    "perturbations",
    "predictions_along_t",
    "relative_error",
    "solved",
]

TEST_STEPS = 50  # evaluations of G at most behind a test answer (the paper's)
# percentiles of frequency in the Lipschitz protocol (the paper's)
PERCENTILES = (
    *(0.01, 0.02, 0.03, 0.04, 0.05),
    *(0.1, 0.3, 0.5, 0.7, 0.9),
    *(0.95, 0.96, 0.97, 0.98, 0.99),
)

_ANDERSON = Anderson()


# ------------------------------------------------------------------------------ answers and errors
def relative_error(y: Tensor, label: Tensor) -> Tensor:
    """|y - w| / |w| per flow, (B,): the paper's error."""
    error: Tensor = (y - label).flatten(1).norm(dim=1) / label.flatten(1).norm(dim=1)
    return error


def solved(
    model: ImplicitFNO,
    x: Tensor,
    *,
    method: Method = _ANDERSON,
    max_steps: int = TEST_STEPS,
    tol: float = 1e-3,
) -> Solution:
    """The latent equilibrium for the forcing x from z_0 = 0, to the relative residual ``tol``.

    The status says where it was not reached.
    """
    with torch.no_grad():
        q = model.encode(x)
        z0 = model.start(q)
        return solve(model, z0, q, method=method, max_steps=max_steps, tol=tol, throw=False)


@torch.no_grad()
def answer(model: ExplicitFNO | ImplicitFNO, x: Tensor) -> Tensor:
    """What the tables judge: an explicit model's answer, or Anderson's after TEST_STEPS at most."""
    if isinstance(model, ImplicitFNO):
        return model.decode(solved(model, x).y)
    y: Tensor = model(x)
    return y


@torch.no_grad()
def predictions_along_t(
    model: ImplicitFNO, x: Tensor, *, steps: int, start: Tensor | None = None
) -> Iterator[Tensor]:
    """y_1, ..., y_steps of Picard's iteration from z_0 = ``start`` (None: 0), one at a time."""
    q = model.encode(x)
    z0 = model.start(q) if start is None else start
    for z in trajectory(model, z0, q, steps):
        yield model.decode(z)


def errors_along_t(
    model: ImplicitFNO, x: Tensor, label: Tensor, *, steps: int, start: Tensor | None = None
) -> Tensor:
    """The relative errors of y_1, ..., y_steps, (steps, B)."""
    predictions = predictions_along_t(model, x, steps=steps, start=start)
    return torch.stack([relative_error(y, label) for y in predictions])


# ---------------------------------------------------------------------------------------- steepness
def perturbations(
    vorticity: Tensor,
    viscosity: float,
    *,
    norm: float = 0.01,
    percentiles: tuple[float, ...] = PERCENTILES,
) -> tuple[Tensor, Tensor]:
    """The small moves of the paper's protocol: (dw (R, n, n), df (B, R, 2, n, n)), section 5.2.

    dw are plane sine waves of this norm at R percentiles of the frequencies, sorted by radius; df
    is the change of forcing that each of them asks for at each flow, by the linearised equation.
    """
    n = vorticity.shape[-1]
    k, l, half = half_plane(torch.arange(1 - n // 2, n // 2), torch.arange(n // 2))  # noqa: E741  the pair (k, l)
    pairs = torch.stack([k[half], l[half]], 1)
    order = torch.argsort(pairs.square().sum(1), stable=True)
    ranks = [int(p * (len(order) - 1)) for p in percentiles]
    sines = waves(n, pairs[order[ranks]])[:, 1]
    dw = norm * sines.to(vorticity)
    df = [linearised(vorticity, wave.expand_as(vorticity), viscosity) for wave in dw]
    return dw, torch.stack(df, 1)


def lipschitz_along_t(
    model: ImplicitFNO,
    vorticity: Tensor,
    forcing: Tensor,
    *,
    steps: int,
    viscosity: float = VISCOSITY,
    norm: float = 0.01,
    percentiles: tuple[float, ...] = PERCENTILES,
) -> tuple[Tensor, Tensor]:
    """The paper's protocol in one pass, in the model's dtype: (ratios, errors).

    ratios  |y_t(f + df) - y_t(f)| / |df| for each of the R `perturbations`, (steps, R, B)
    errors  relative error of the clean and of all perturbed runs against their own labels w and
            w + dw, (steps, R + 1, B)
    """
    dtype = next(model.parameters()).dtype
    dw, df = perturbations(vorticity, viscosity, norm=norm, percentiles=percentiles)
    runs = torch.cat([forcing[None], forcing[None] + df.transpose(0, 1)])
    runs = runs.to(dtype)  # (R + 1, B, 2, n, n)
    labels = torch.cat([vorticity[None], vorticity[None] + dw[:, None]]).to(dtype)
    size = (runs[1:] - runs[:1]).flatten(2).norm(dim=2)
    ratios, errors = [], []
    for y in predictions_along_t(model, runs.flatten(0, 1), steps=steps):
        answers = y.view_as(labels)
        moved = (answers[1:] - answers[:1]).flatten(2).norm(dim=2)
        ratios.append(moved / size)
        errors.append(relative_error(y, labels.flatten(0, 1)).view(labels.shape[:2]))
    return torch.stack(ratios), torch.stack(errors)


def local_along_t(
    model: ExplicitFNO | ImplicitFNO,
    x: Tensor,
    times: Sequence[int],
    *,
    max_steps: int = 40,
    tol: float = 0.05,
) -> tuple[Tensor, Tensor]:
    """True local constants |dy_t/df| at the forcings x (B, 2, n, n), from z_0 = 0.

    Returns (value, settled), both (len(times), B): one row per t, one column per flow. Where the
    power iteration did not settle to ``tol`` in ``max_steps``, the value is a lower bound. An
    explicit model has one answer whatever t.
    """
    if isinstance(model, ExplicitFNO):
        value, settled = _local_constant(model, x, max_steps, tol)
        return value.expand(len(times), -1), settled.expand(len(times), -1)
    rows = [_local_constant(_after(model, t), x, max_steps, tol) for t in times]
    return torch.stack([value for value, _ in rows]), torch.stack([settled for _, settled in rows])


def _after(model: ImplicitFNO, t: int) -> Callable[[Tensor], Tensor]:
    """The map f -> y_t."""

    def y_t(x: Tensor) -> Tensor:
        q = model.encode(x)
        *_, z = trajectory(model, model.start(q), q, t)
        return model.decode(z)

    return y_t


def _local_constant(
    f: Callable[[Tensor], Tensor], x: Tensor, max_steps: int, tol: float
) -> tuple[Tensor, Tensor]:
    """(value (B,), whether it settled (B,))."""
    try:
        value = lipschitz.local(f, x, max_steps=max_steps, tol=tol)
    except lipschitz.NotConverged as error:
        return error.estimate, error.converged
    return value, torch.ones_like(value, dtype=torch.bool)
