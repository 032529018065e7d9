"""Appendices of notebook 03: classical solvers, and networks beside them and on other grids."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor

from equilibria.operators import steady_flow
from equilibria.problems.flow_data import VISCOSITY, Flows
from equilibria.problems.flow_equation import manufacture
from equilibria.problems.flow_grid import random_vorticity, resample
from equilibria.solvers import Anderson, NewtonKrylov, Picard
from equilibria.studies.navier_stokes.measures import answer, relative_error
from equilibria.studies.navier_stokes.recipes import Model
from equilibria.training.records import timed

__all__ = ["AMPLITUDES", "classical", "head_start", "other_grids"]

AMPLITUDES = (0.02, 0.05, 0.1)  # std(w) at which the classical solvers are compared
_NEWTON = NewtonKrylov(krylov=60, backtracks=12)
_METHODS = {
    "Picard": (Picard(), 200),
    "Anderson": (Anderson(), 200),
    "Newton-Krylov": (_NEWTON, 1000),
}
_TOL = 1e-8  # relative residual at which a classical solver has arrived
_RIGHT = 1e-4  # relative distance to w below which it has arrived at w


def classical(*, seed: int, count: int = 4, n: int = 32) -> dict[float, dict[str, Any]]:
    """Three methods from rest on divergence-free forcings of each of the AMPLITUDES.

    By method: ``solved``, the share of flows, and ``residuals``, one curve per flow.
    """
    rows: dict[float, dict[str, Any]] = {}
    for amplitude in AMPLITUDES:
        generator = torch.Generator().manual_seed(seed)
        w = random_vorticity(count, n, std=amplitude, generator=generator)
        f = manufacture(w, VISCOSITY)
        rows[amplitude] = {}
        for name, (method, budget) in _METHODS.items():
            solution = steady_flow.steady_state(
                f, VISCOSITY, method=method, max_steps=budget, throw=False
            )
            curves = [row[torch.isfinite(row) & (row > 0)] for row in solution.residuals]
            rows[amplitude][name] = {
                "solved": solution.success.double().mean(),
                "residuals": curves,
            }
    return rows


def head_start(models: dict[str, Model], flows: Flows) -> dict[str, dict[str, Any]]:
    """Newton-Krylov on the vorticity equation from rest and from each network's answer.

    It sees the curl of the forcing alone, which other flows have, too. By start:

    steps    evaluations per flow
    right    per flow, whether it ended at w
    solved   per flow, whether it ended at a steady flow at all
    seconds  per flow, the network's answer included
    error    mean error of what it started from
    """
    rows: dict[str, dict[str, Any]] = {}
    starts: dict[str, tuple[float, Tensor]] = {"rest": (0.0, torch.zeros_like(flows.vorticity))}
    for name, model in models.items():
        device = next(model.parameters()).device
        x = flows.forcing.float().to(device)
        answer(model, x)  # the first call sets up tables
        spent, y = timed(partial(answer, model, x))
        starts[name] = spent, y.double().cpu()
    for name, (spent, start) in starts.items():
        seconds, solution = timed(
            partial(
                steady_flow.steady_state,
                flows.forcing,
                VISCOSITY,
                method=_NEWTON,
                start=start,
                tol=_TOL,
                max_steps=1000,
                throw=False,
            )
        )
        rows[name] = {
            "steps": solution.steps,
            "right": solution.success & (relative_error(solution.y, flows.vorticity) < _RIGHT),
            "solved": solution.success,
            "seconds": (spent + seconds) / len(flows),
            "network_seconds": spent / len(flows),
            "error": relative_error(start, flows.vorticity).mean(),
        }
    return rows


def other_grids(models: dict[str, Model], flows: Flows, grids: list[int]) -> dict[str, list[float]]:
    """The mean error of each model on the same flows on n x n points, for each n of ``grids``."""
    errors: dict[str, list[float]] = {name: [] for name in models}
    for n in grids:
        for name, model in models.items():
            device = next(model.parameters()).device
            x, y = (
                resample(part, n).float().to(device) for part in (flows.forcing, flows.vorticity)
            )
            errors[name].append(relative_error(answer(model, x), y).mean().item())
    return errors
