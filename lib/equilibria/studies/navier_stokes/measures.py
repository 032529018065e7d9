"""What a model of the study is asked: its answers, their errors, and how steep they are.

t is the number of iterations, z_t the latent state and y_t = decode(z_t) the vorticity after them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from equilibria import lipschitz
from equilibria.lipschitz import sample_norm
from equilibria.operators.fourier import ExplicitFNO, ImplicitFNO
from equilibria.solvers import Anderson, Method, Solution, solve, trajectory
from equilibria.training.visits import iterate_freely

__all__ = [
    "TEST_STEPS",
    "answer",
    "errors_along_t",
    "local_along_t",
    "predictions_along_t",
    "radius_at_rest",
    "relative_error",
    "solved",
]

TEST_STEPS = 50  # evaluations of G behind a test answer (the paper's)
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
    """What the tables judge: an explicit model's answer, or Picard's y_t at t = TEST_STEPS.

    The paper takes Anderson's answer. Our loops were trained by plain iterations, and on a few
    training flows Anderson's method leaves their way and ends at another fixed point.
    """
    if isinstance(model, ImplicitFNO):
        q = model.encode(x)
        return model.decode(iterate_freely(model, model.start(q), q, TEST_STEPS))
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


@torch.no_grad()
def radius_at_rest(
    model: ImplicitFNO, z: Tensor, q: Tensor, *, steps: int = 80
) -> tuple[Tensor, Tensor]:
    """(|G(z) - z| / |z|, spectral radius of dG/dz) at a state z where the loop rests, both (B,).

    The radius is the mean rate at which a small move grows under G over the second half of
    ``steps`` iterations (a power iteration, by differences). A pair of complex eigenvalues turns
    the move as well, and the mean looks past that.
    """
    fixed = model(z, q)
    size = sample_norm(z)
    distance = 1e-2 * size
    move = torch.randn(z.shape, generator=torch.Generator().manual_seed(0)).to(z)
    log_growth = torch.zeros_like(size)
    for index in range(steps):
        move = (
            model(z + (distance / sample_norm(move)).view(-1, *[1] * (z.dim() - 1)) * move, q)
            - fixed
        )
        if index >= steps // 2:
            log_growth += (sample_norm(move) / distance).log()
    return sample_norm(fixed - z) / size, (log_growth / (steps - steps // 2)).exp()


# ---------------------------------------------------------------------------------------- steepness
def local_along_t(
    model: ExplicitFNO | ImplicitFNO,
    x: Tensor,
    times: Sequence[int],
    *,
    directions: Tensor | None = None,
    max_steps: int = 40,
    tol: float = 0.05,
) -> tuple[Tensor, Tensor]:
    """True local constants |dy_t/df| at the forcings x (B, 2, n, n), from z_0 = 0.

    Over all directions df, or over the span of orthonormal ``directions`` (B, R, 2, n, n). Returns
    (value, settled), both (len(times), B): one row per t, one column per flow. Where the
    power iteration did not settle to ``tol`` in ``max_steps``, the value is a lower bound. An
    explicit model has one answer whatever t.
    """
    if isinstance(model, ExplicitFNO):
        value, settled = _local_constant(model, x, directions, max_steps, tol)
        return value.expand(len(times), -1), settled.expand(len(times), -1)
    rows = [_local_constant(_after(model, t), x, directions, max_steps, tol) for t in times]
    return torch.stack([value for value, _ in rows]), torch.stack([settled for _, settled in rows])


def _after(model: ImplicitFNO, t: int) -> Callable[[Tensor], Tensor]:
    """The map f -> y_t."""

    def y_t(x: Tensor) -> Tensor:
        q = model.encode(x)
        *_, z = trajectory(model, model.start(q), q, t)
        return model.decode(z)

    return y_t


def _local_constant(
    f: Callable[[Tensor], Tensor],
    x: Tensor,
    directions: Tensor | None,
    max_steps: int,
    tol: float,
) -> tuple[Tensor, Tensor]:
    """(value (B,), whether it settled (B,))."""
    if directions is None:
        along, origin = f, x
    else:
        basis = directions.flatten(2)
        origin = x.new_zeros(basis.shape[:2])

        def along(c: Tensor) -> Tensor:
            return f(x + torch.bmm(c[:, None], basis).view_as(x))

    try:
        value = lipschitz.local(along, origin, max_steps=max_steps, tol=tol)
    except lipschitz.NotConverged as error:
        return error.estimate, error.converged
    return value, torch.ones_like(value, dtype=torch.bool)
