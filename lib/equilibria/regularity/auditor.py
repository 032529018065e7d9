"""The audit: measure, compare with Definition 2.3 and Theorem 2.5, and report."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor

from equilibria.checks import is_real, require, require_int, require_real
from equilibria.regularity.probes import (
    Directions,
    SpectralNorms,
    column,
    contraction,
    growth_exponent,
    steepness_of_solution,
)
from equilibria.regularity.report import Audit, collect_findings, write_report
from equilibria.solvers.anderson import Anderson
from equilibria.solvers.checks import check_solve_arguments
from equilibria.solvers.loop import solve
from equilibria.solvers.method import Operator

__all__ = ["audit"]


def audit(
    G: Operator,
    y0: Tensor,
    x: Tensor,
    *,
    max_steps: int = 1000,
    tol: float | None = None,
    probes: int = 4,
    radius: float = 1.0,
    scales: tuple[float, ...] = (1e2, 1e3, 1e4),
    growth_slack: float = 0.05,
    norm_steps: int = 50,
    norm_tol: float = 1e-3,
    seed: int = 0,
) -> Audit:
    """Probe Definition 2.3 and Theorem 2.5 at each x of a batch.

    It does not raise when G is not regular: it reports that.

    G, y0, x      as in `solve`; x must be a real floating tensor, since Lip_x needs one
    max_steps     evaluations for y* (Anderson, from y0) and for each solve with 1 - dG/dy
    tol           relative residual of those solves; None: 1000 machine epsilons
    probes        random pairs of states around y* at which the contraction is measured too
    radius        distance from y* of a pair's farther state, in units of max(|y*|, 1); the other
                  is half as far
    scales        |y| at which Lip_x(G) is measured for its growth, in units of max(|y*|, 1)
    growth_slack  how far the growth exponent may exceed 1
    norm_steps, norm_tol
                  of the spectral norms (`lipschitz.local`); where one does not settle, its lower
                  bound is used
    seed          of the random directions

    Probing can refute regularity but only support it, since it sees no other states than those it
    looks at. Raises TypeError or ValueError for arguments that cannot be right.

    >>> import torch
    >>> x = torch.tensor([[0.5], [1.0]], dtype=torch.float64)
    >>> G = lambda y, x: y - 0.5 * (x * y - 1)  # mu = 1 - 0.5 x (paper, section 2)
    >>> result = audit(G, torch.zeros_like(x), x)
    >>> result.regular, result.mu.round(decimals=6).tolist()
    (True, [0.75, 0.5])
    >>> result.measured.round(decimals=6).tolist()  # |d(1/x)/dx| = 1 / x^2
    [4.0, 1.0]
    """
    if tol is None and isinstance(y0, Tensor) and y0.is_floating_point():
        tol = 1e3 * torch.finfo(y0.dtype).eps
    _check(G, y0, x, max_steps, tol)
    _check_probing(probes, radius, scales, growth_slack, norm_steps, norm_tol, seed)
    solution = solve(G, y0, x, method=Anderson(), max_steps=max_steps, tol=tol, throw=False)
    solved = solution.success
    y = torch.where(column(solved, y0), solution.y, y0.detach())  # y0 stands in for a missing y*
    norms = SpectralNorms(norm_steps, norm_tol)
    directions = Directions(y, seed)

    # contraction in y, and the slope in x: at y* and farther out
    mu, mu_settled = contraction(G, y, x, norms, directions, probes, radius)
    lipschitz_x, x_settled = norms.of_map(partial(G, y), x)
    growth = growth_exponent(G, y, x, norms, directions, scales)

    # the bound of Theorem 2.5, and what it bounds
    room = 1 - mu
    tiny = torch.finfo(mu.dtype).tiny
    bound = torch.where(mu < 1, lipschitz_x / room.clamp_min(tiny), torch.inf)
    measured, known = steepness_of_solution(G, y, x, norms, max_steps, tol)
    lipschitz_x = torch.where(solved, lipschitz_x, torch.nan)
    bound = torch.where(solved, bound, torch.nan)
    measured = torch.where(solved & known, measured, torch.nan)

    findings = collect_findings(
        solved,
        solution.residuals.nan_to_num(torch.inf).amin(1),
        mu,
        growth,
        bound,
        measured,
        growth_slack=growth_slack,
        norm_tol=norm_tol,
    )
    regular = all(bool(finding.holds.all()) for finding in findings)
    report = write_report(findings, regular, settled=bool((mu_settled & x_settled).all()))
    return Audit(mu, lipschitz_x, growth, bound, measured, solved, regular, report)


def _check(G: Any, y0: Any, x: Any, max_steps: Any, tol: Any) -> None:
    if not isinstance(x, Tensor) or not x.is_floating_point():
        got = getattr(x, "dtype", type(x).__name__)
        raise TypeError(
            f"x must be a real floating tensor, got {got}: Lip_x(G) is not defined for other "
            "inputs; lipschitz.local(lambda y: G(y, x), y) gives mu alone"
        )
    check_solve_arguments(G, y0, x, Anderson(), max_steps, tol)


def _check_probing(
    probes: Any,
    radius: Any,
    scales: Any,
    growth_slack: Any,
    norm_steps: Any,
    norm_tol: Any,
    seed: Any,
) -> None:
    require_int("probes", probes, least=0)
    require_int("norm_steps", norm_steps, least=1)
    require_int("seed", seed, least=0)
    for name, value in (("radius", radius), ("growth_slack", growth_slack), ("norm_tol", norm_tol)):
        require_real(name, value, above=0)
    positive = all(is_real(scale) and scale > 0 for scale in scales)
    rising = positive and list(scales) == sorted(set(scales))
    require(len(scales) >= 2 and rising, "scales", scales, "two or more rising positive numbers")
