"""Solving the steady equation from the forcing alone: `steady_state` and what it is made of.

If the caller gives no method, the steps are: follow the flow from rest on few wavenumbers
(`continuation`), refine it on more, then on the grid, and finish by Newton-Krylov.
"""

from __future__ import annotations

import torch
from torch import Tensor

from equilibria.operators.steady_flow.continuation import follow_from_rest
from equilibria.operators.steady_flow.galerkin import Galerkin
from equilibria.operators.steady_flow.picard import operator
from equilibria.problems.flow_equation import (
    check_same_grid,
    checked_forcing,
    checked_vorticity,
    curl,
)
from equilibria.solvers import Anderson, Method, NewtonKrylov, Solution, solve
from equilibria.solvers.checks import check_solve_arguments

__all__ = ["COARSE", "NEWTON", "flow_from_rest", "refine", "steady_state"]

NEWTON = NewtonKrylov(krylov=60, backtracks=12)
COARSE = 8  # largest wavenumber of the space in which a flow is followed from rest
_FINE = 16  # largest wavenumber of the space in which it is refined before the grid


def steady_state(
    forcing: Tensor,
    viscosity: float,
    *,
    method: Method | None = None,
    tol: float = 1e-8,
    start: Tensor | None = None,
    max_steps: int = 2000,
    throw: bool = True,
) -> Solution:
    """Solve the steady equation for w on `operator`; ``Solution.y`` is the vorticity (B, n, n).

    forcing    (B, 2, n, n)
    method     of `equilibria.solve`: Picard and Anderson do for weak forcing. None: NewtonKrylov,
               and where there is no start, from the flow of `flow_from_rest`. Solution.steps does
               not count the work on that start and is often 1, so compare wall times, or give
               NewtonKrylov() itself, which sets out from rest
    tol        largest relative residual |G(w) - w| / |G(w)|
    start      (B, n, n), mean zero; None: a fluid at rest
    max_steps  evaluations of G at most
    throw      as in `solve`

    Raises `SolveError` where throw is True and a flow was not found, TypeError or ValueError for
    arguments that cannot be right.
    """
    c = curl(checked_forcing(forcing))
    G = operator(viscosity)
    w0 = torch.zeros_like(c)
    follow = method is None and start is None
    method = method or NEWTON
    # `solve` checks them as well, but only after the long way from rest
    check_solve_arguments(G, w0, c, method, max_steps, tol)
    if start is not None:
        w0 = checked_vorticity(start, "start")
        check_same_grid(w0, forcing, "start")
    elif follow:
        w0 = flow_from_rest(c, viscosity)
    solution = solve(G, w0, c, method=method, max_steps=max_steps, tol=tol, throw=throw)
    return Solution(
        y=solution.y.to(forcing.dtype),
        status=solution.status,
        steps=solution.steps,
        residuals=solution.residuals,
    )


def flow_from_rest(c: Tensor, viscosity: float) -> Tensor:
    """A flow (B, n, n) near a steady one under curl f = c, float64, without a promise.

    It is followed from rest on few wavenumbers, refined on more, and then on the grid.
    """
    n = c.shape[-1]
    coarse = Galerkin.fitting(n, viscosity, largest=COARSE)
    x = torch.stack([follow_from_rest(coarse, one) for one in coarse.down(c)])
    flow = coarse.up(x, n)
    space = Galerkin.fitting(n, viscosity, largest=_FINE)
    if space.size > coarse.size:
        pairs = zip(space.down(flow), space.down(c), strict=True)
        x = torch.stack([space.newton(near, one) for near, one in pairs])
        flow = space.up(x, n)
    flow = flow.to(c)
    refined = refine(space, flow, c, tol=1e-9)
    # Newton-Krylov does better from the start than from a failure
    return torch.where(refined.success[:, None, None], refined.y, flow)


def refine(space: Galerkin, start: Tensor, c: Tensor, *, tol: float) -> Solution:
    """The flow (B, n, n) near ``start`` under curl f = c by an approximate Newton method.

    Its derivative is that at the start on ``space``, and the identity beyond.
    """
    n = c.shape[-1]
    G = operator(space.viscosity)
    # one by one: batched LU fails with several threads (torch 2.14)
    inverses = [torch.linalg.inv(space.equation(x)[1]) for x in space.down(start)]
    inverse = torch.stack(inverses)

    def H(w: Tensor, c: Tensor) -> Tensor:
        g = G(w, c)
        r = space.down(g - w)
        # the derivative of w - G(w) is that of the equation over nu |k|^2
        newton_step = (inverse @ (space.damping * r)[..., None])[..., 0]
        return g + space.up(newton_step - r, n).to(c)

    method = Anderson(history=30, damping=0.5)
    return solve(H, start, c, method=method, max_steps=100, tol=tol, throw=False)
