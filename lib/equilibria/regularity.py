"""Whether G is a regular implicit operator (paper, Definition 2.3; Theorem 2.5 on y*).

==============  ===================================================================
``mu(x)``       contraction modulus, the supremum over y of |dG/dy (y, x)|; a regular
                operator has mu(x) < 1
``Lip_x(G)``    |dG/dx (y, x)| for a fixed y; for a regular operator it grows at most
                linearly in |y|
``bound``       Lip_x(G)(y*) / (1 - mu(x)), which bounds the local Lipschitz constant
                of y*(x)
``measured``    that constant itself, |dy*/dx|, where
                dy*/dx = (1 - dG/dy)^-1 dG/dx at the fixed point
==============  ===================================================================
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from equilibria.checks import is_int, is_real, require
from equilibria.derivatives import (
    Linearisation,
    TensorMap,
    largest_singular_value,
    linearise,
)
from equilibria.lipschitz import difference_ratio, sample_norm
from equilibria.solvers.anderson import Anderson
from equilibria.solvers.checks import check_solve_arguments
from equilibria.solvers.loop import solve
from equilibria.solvers.method import Operator

__all__ = ["Audit", "audit"]

SAMPLES_SHOWN = 8  # how many samples a line of the report names


@dataclass(frozen=True)
class Audit:
    """The result of `audit`.

    All tensors are (B,). Those that need a fixed point are NaN where none was found.

    mu           the largest |dG/dy| or |G(a, x) - G(b, x)| / |a - b| seen at and around the fixed
                 point
    lipschitz_x  Lip_x(G)(y*)
    growth       exponent p of Lip_x(G)(y) ~ |y|^p at large |y|; at most 1 for a regular operator
    bound        Lip_x(G)(y*) / (1 - mu), infinite where mu >= 1
    measured     |dy*/dx|, spectral norm
    solved       whether y* was found
    regular      whether every sample meets the definition, as far as it was probed
    report       the reasons, in words
    """

    mu: Tensor
    lipschitz_x: Tensor
    growth: Tensor
    bound: Tensor
    measured: Tensor
    solved: Tensor
    regular: bool
    report: str

    def __str__(self) -> str:
        return self.report


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
    y = torch.where(_column(solved, y0), solution.y, y0.detach())  # y0 stands in for a missing y*
    norms = _SpectralNorms(norm_steps, norm_tol)
    directions = _Directions(y, seed)

    # contraction in y, and the slope in x: at y* and farther out
    mu, mu_settled = _contraction(G, y, x, norms, directions, probes, radius)
    lipschitz_x, x_settled = norms.of_map(partial(G, y), x)
    growth = _growth(G, y, x, norms, directions, scales)

    # the bound of Theorem 2.5, and what it bounds
    room = 1 - mu
    tiny = torch.finfo(mu.dtype).tiny
    bound = torch.where(mu < 1, lipschitz_x / room.clamp_min(tiny), torch.inf)
    measured, known = _steepness(G, y, x, norms, max_steps, tol)
    lipschitz_x = torch.where(solved, lipschitz_x, torch.nan)
    bound = torch.where(solved, bound, torch.nan)
    measured = torch.where(solved & known, measured, torch.nan)

    findings = _findings(
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
    report = _report(findings, regular, settled=bool((mu_settled & x_settled).all()))
    return Audit(mu, lipschitz_x, growth, bound, measured, solved, regular, report)


# ------------------------------------------------------------------------------------ measurements


@dataclass(frozen=True)
class _SpectralNorms:
    """How spectral norms are computed; each comes with whether it settled, (B,) both."""

    max_steps: int
    tol: float

    def of_map(self, f: TensorMap, at: Tensor) -> tuple[Tensor, Tensor]:
        """The norm of f's derivative, 0 where f does not depend on its argument."""
        derivative = linearise(f, at)
        if derivative is None:
            return at.new_zeros(len(at)), torch.ones(len(at), dtype=torch.bool, device=at.device)
        return self.of_derivative(derivative, at)

    def of_derivative(self, derivative: Linearisation, like: Tensor) -> tuple[Tensor, Tensor]:
        """The norm of a derivative whose argument is shaped as ``like``."""
        return largest_singular_value(derivative, like, max_steps=self.max_steps, tol=self.tol)


class _Directions:
    """Random states around y, in units of max(|y|, 1)."""

    def __init__(self, y: Tensor, seed: int) -> None:
        self.y = y
        self.unit = sample_norm(y).clamp_min(1.0)  # (B,)
        self.generator = torch.Generator().manual_seed(seed)

    def draw(self) -> Tensor:
        """A random direction of length 1 per sample, (B, ...).

        It is the same for every sample, so that results do not depend on neighbours.
        """
        d = torch.randn(self.y.shape[1:], generator=self.generator, dtype=torch.float64)
        unit: Tensor = d / d.norm()
        return unit.to(self.y).expand_as(self.y)

    def along(self, direction: Tensor, distance: float) -> Tensor:
        """``direction`` made as long as ``distance`` units, (B, ...)."""
        return _column(distance * self.unit, direction) * direction


def _column(values: Tensor, like: Tensor) -> Tensor:
    """``values`` (B,) in the shape (B, 1, ...) that multiplies ``like`` (B, ...)."""
    return values.reshape(-1, *[1] * (like.dim() - 1))


def _contraction(
    G: Operator,
    y: Tensor,
    x: Tensor,
    norms: _SpectralNorms,
    directions: _Directions,
    probes: int,
    radius: float,
) -> tuple[Tensor, Tensor]:
    """Mu (B,), the largest slope of y -> G(y, x) at y and at pairs around it; whether settled."""

    def in_y(y: Tensor) -> Tensor:
        return G(y, x)

    mu, settled = norms.of_map(in_y, y)
    for _ in range(probes):
        far = y + directions.along(directions.draw(), radius)
        near = y + directions.along(directions.draw(), 0.5 * radius)  # never the same state
        slope, slope_settled = norms.of_map(in_y, far)
        mu = torch.maximum(mu, slope)
        settled = settled & slope_settled
        mu = torch.maximum(mu, difference_ratio(in_y, far, near - far))
    return mu, settled


def _growth(
    G: Operator,
    y: Tensor,
    x: Tensor,
    norms: _SpectralNorms,
    directions: _Directions,
    scales: tuple[float, ...],
) -> Tensor:
    """Exponent p of Lip_x(G)(y) ~ |y|^p along a random ray, (B,)."""
    ray = directions.draw()
    slopes = []
    for scale in scales:
        in_x = partial(G, directions.along(ray, scale))
        slope, _ = norms.of_map(in_x, x)
        slopes.append(slope)
    measured = torch.stack(slopes)  # (S, B)
    return _exponent(torch.tensor(scales).to(measured), measured)


def _exponent(scales: Tensor, slopes: Tensor) -> Tensor:
    """The steepest log-log slope between neighbouring scales, (B,).

    It is 0 where Lip_x vanishes, and infinite where it overflows.
    """
    tiny = torch.finfo(slopes.dtype).tiny
    rise = slopes.clamp_min(tiny).log().diff(dim=0) / scales.log().diff()[:, None]
    rise = torch.where(slopes[1:] > tiny, rise, 0.0)
    return torch.where(torch.isfinite(slopes).all(dim=0), rise.amax(dim=0), torch.inf)


def _steepness(
    G: Operator, y: Tensor, x: Tensor, norms: _SpectralNorms, max_steps: int, tol: float | None
) -> tuple[Tensor, Tensor]:
    """|dy*/dx| (B,), and where it is known: the norm settled, and every solve on the way succeeded.

    dy*/dx v = (1 - dG/dy)^-1 dG/dx v is the fixed point of u = dG/dy u + dG/dx v; its transpose
    goes the same way back.
    """
    in_y = linearise(lambda y: G(y, x), y)
    in_x = linearise(partial(G, y), x)
    known = torch.ones(len(y), dtype=torch.bool, device=y.device)
    if in_x is None:
        return torch.zeros_like(known, dtype=y.dtype), known
    if in_y is None:
        in_y = Linearisation(torch.zeros_like, torch.zeros_like)
    outer, inner = in_x, in_y

    def resolve(apply: TensorMap, b: Tensor) -> Tensor:
        """The u with u = apply(u) + b."""
        nonlocal known
        solution = solve(
            lambda u, b: apply(u) + b,
            torch.zeros_like(b),
            b,
            max_steps=max_steps,
            tol=tol,
            throw=False,
        )
        known = known & solution.success
        return solution.y

    def jvp(v: Tensor) -> Tensor:
        return resolve(inner.jvp, outer.jvp(v))

    def vjp(u: Tensor) -> Tensor:
        return outer.vjp(resolve(inner.vjp, u))

    measured, settled = norms.of_derivative(Linearisation(jvp, vjp), x)
    return measured, known & settled


# ---------------------------------------------------------------------------------------- findings


@dataclass(frozen=True)
class _Finding:
    """One condition of regularity."""

    holds: Tensor  # (B,) bool
    good: str  # the report's words where it holds for all samples
    bad: str  # and where it does not
    value: Tensor  # (B,) what was compared
    name: str  # of that value

    def line(self) -> str:
        """The finding in words, with the worst value of the samples that it speaks of."""
        value = self.value.nan_to_num(nan=-torch.inf)
        if bool(self.holds.all()):
            return f"yes     {self.good} (largest {self.name} {value.max().item():.4g})"
        failing = (~self.holds).nonzero().flatten().tolist()
        worst = value[~self.holds].max().item()
        return (
            f"NO      {self.bad} in {len(failing)} of {len(self.holds)} samples "
            f"{failing[:SAMPLES_SHOWN]} (largest {self.name} {worst:.4g})"
        )


def _findings(
    solved: Tensor,
    least_residual: Tensor,
    mu: Tensor,
    growth: Tensor,
    bound: Tensor,
    measured: Tensor,
    *,
    growth_slack: float,
    norm_tol: float,
) -> list[_Finding]:
    contracts = mu < 1
    # the bound is an inequality between measured numbers: allow for their tolerances, which
    # 1 / (1 - mu) amplifies
    slack = 1 + norm_tol * (1 + 1 / (1 - mu).clamp_min(torch.finfo(mu.dtype).eps))
    bounded = ~contracts | measured.isnan() | (measured <= slack * bound)
    return [
        _Finding(
            solved,
            "a fixed point was found",
            "no fixed point was found",
            least_residual,
            "least residual",
        ),
        _Finding(
            contracts,
            "mu(x) < 1: a contraction in y",
            "mu(x) >= 1: no contraction in y",
            mu,
            "mu",
        ),
        _Finding(
            growth <= 1 + growth_slack,
            "Lip_x(G) grows at most linearly in |y|",
            "Lip_x(G) grows faster than linearly in |y|",
            growth,
            "exponent",
        ),
        _Finding(
            bounded,
            "|dy*/dx| <= Lip_x(G)(y*) / (1 - mu)",
            "the necessity bound is violated",
            measured / bound,
            "measured / bound",
        ),
    ]


def _report(findings: list[_Finding], regular: bool, *, settled: bool) -> str:
    verdict = "regular" if regular else "NOT regular"
    lines = [f"{verdict} on {len(findings[0].holds)} samples, as far as probed"]
    lines.extend(finding.line() for finding in findings)
    if not settled:
        lines.append(
            "note    some spectral norms did not settle; their lower bounds were used: "
            "raise norm_steps"
        )
    return "\n".join(lines)


# ------------------------------------------------------------------------------------------ checks


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
    for name, value, least in (("probes", probes, 0), ("norm_steps", norm_steps, 1)):
        enough = is_int(value) and value >= least
        require(enough, name, value, f"an int of at least {least}")
    require(is_int(seed) and seed >= 0, "seed", seed, "an int of at least 0")
    for name, value in (("radius", radius), ("growth_slack", growth_slack), ("norm_tol", norm_tol)):
        require(is_real(value) and value > 0, name, value, "a positive number")
    positive = all(is_real(scale) and scale > 0 for scale in scales)
    rising = positive and list(scales) == sorted(set(scales))
    require(len(scales) >= 2 and rising, "scales", scales, "two or more rising positive numbers")
