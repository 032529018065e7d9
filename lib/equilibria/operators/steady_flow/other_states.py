"""Looking for a second steady flow under one forcing.

Finding a second state is conclusive; finding none is not.
"""

from __future__ import annotations

import torch
from torch import Tensor
from tqdm.auto import tqdm

from equilibria.checks import is_int, require, require_int
from equilibria.operators.steady_flow.picard import operator
from equilibria.operators.steady_flow.solver import NEWTON, flow_from_rest, steady_state
from equilibria.problems.flow_equation import curl, manufacture, residual
from equilibria.problems.flow_grid import random_vorticity, resample
from equilibria.solvers import Solution, solve

__all__ = ["another_state", "other_states"]

_APART = 0.01  # relative distance from which two flows count as different


def another_state(
    vorticity: Tensor, viscosity: float, *, tol: float = 1e-8, max_steps: int = 4000
) -> tuple[Solution, Tensor]:
    """What the solver finds from rest under the forcing of which ``vorticity`` is a steady flow.

    vorticity (B, n, n) -> the solution, and its distance |w' - w| / |w| from it, (B,). Where it is
    solved and the distance is far above tol, one forcing has two steady flows.
    """
    forcing = manufacture(vorticity, viscosity)
    solution = steady_state(forcing, viscosity, tol=tol, max_steps=max_steps, throw=False)
    return solution, _distance(solution.y, vorticity)


def other_states(
    forcing: Tensor,
    vorticity: Tensor,
    viscosity: float,
    *,
    tries: int,
    generator: torch.Generator,
    n: int = 32,
    progress: bool = False,
) -> tuple[Tensor, Tensor]:
    """For each steady flow the state under the same forcing that lies farthest from it.

    forcing (N, 2, m, m), vorticity (N, m, m) -> (w (N, m, m), distance (N,)). The states are those
    that are found by following the flow from rest and by Newton-Krylov from ``tries`` random fields
    of the flow's size; they are sought on n x n points and confirmed on m x m. Where no other state
    is found, w is the flow itself and the distance 0: this proves nothing.

    Raises TypeError or ValueError for fields that cannot be right, viscosity <= 0, tries below 0,
    or an n that is odd or below 16.
    """
    require_int("tries", tries, least=0)
    require(is_int(n) and n % 2 == 0 and n >= 16, "n", n, "an even int of at least 16")
    residual(vorticity, forcing, viscosity)  # refuses fields that cannot be right
    fine = vorticity.shape[-1]
    coarse = min(n, fine)
    c = resample(curl(forcing), coarse)
    truth = resample(vorticity, coarse)
    std = truth.std((1, 2), correction=0)[:, None, None]
    farthest = vorticity.clone()
    distance = vorticity.new_zeros(len(vorticity))
    starts = range(tries + 1)
    for index in tqdm(starts, "other states", unit="start", disable=not progress, leave=False):
        if index == 0:
            start = flow_from_rest(c, viscosity)
        else:
            field = random_vorticity(len(truth), coarse, std=1.0, generator=generator)
            start = std * field.to(c)
        found = solve(
            operator(viscosity), start, c, method=NEWTON, max_steps=400, tol=1e-6, throw=False
        )
        other = found.success & (_distance(found.y, truth) > _APART)
        far = other.nonzero().flatten()
        if not len(far):
            continue
        near = resample(found.y[far], fine)
        confirmed = steady_state(forcing[far], viscosity, start=near, throw=False)
        off = _distance(confirmed.y, vorticity[far])
        better = confirmed.success & (off > distance[far]) & (off > _APART)
        farthest[far[better]] = confirmed.y[better]
        distance[far[better]] = off[better]
    return farthest, distance


def _distance(w: Tensor, label: Tensor) -> Tensor:
    """|w - label| / |label|, (B,); 0 / 0 is 0."""
    off = (w - label).flatten(1).norm(dim=1)
    return torch.where(off > 0, off / label.flatten(1).norm(dim=1), off)
