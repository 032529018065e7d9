"""Is G a regular implicit operator? (paper, Definition 2.3), and what its fixed-point map may do (Theorem 2.5).

==============  =======================================================================================
``mu(x)``       contraction modulus: sup over y of |dG/dy (y, x)|; regular needs mu(x) < 1
``Lip_x(G)``    |dG/dx (y, x)| for a fixed y; regular needs growth at most linear in |y|
``bound``       Lip_x(G)(y*) / (1 - mu(x)), which bounds the local Lipschitz constant of y*(x)
``measured``    that constant itself, |dy*/dx| with dy*/dx = (1 - dG/dy)^-1 dG/dx at the fixed point
==============  =======================================================================================
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from equilibria import lipschitz
from equilibria.derivatives import largest_singular_value, linearise
from equilibria.solvers import loop as fixed_point

__all__ = ["Audit", "audit"]


@dataclass(frozen=True)
class Audit:
    """What `audit` found. All tensors are (B,); those that need a fixed point are NaN where none was found.

    mu           largest |dG/dy| or |G(a, x) - G(b, x)| / |a - b| seen at and around the fixed point
    lipschitz_x  Lip_x(G)(y*)
    growth       exponent p of Lip_x(G)(y) ~ |y|^p at large |y|: at most 1 for a regular operator
    bound        Lip_x(G)(y*) / (1 - mu), infinite where mu >= 1
    measured     |dy*/dx|, spectral norm
    solved       y* was found
    regular      True when every sample meets the definition as far as probed
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
    G: Callable,
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
    """Probe Definition 2.3 and Theorem 2.5 at each x of a batch; reports, and does not raise, when G is not regular.

    G, y0, x      as in `solve`; x must be a real floating tensor (Lip_x needs one), samples independent
    max_steps     evaluations for y* (Anderson, from y0) and for each solve with 1 - dG/dy
    tol           relative residual of those solves; None: 1e3 machine epsilons
    probes        random pairs of states around y* at which the contraction is measured too
    radius        distance from y* of a pair's farther state (the other is half as far), in units of max(|y*|, 1)
    scales        |y| at which Lip_x(G) is measured for its growth, in units of max(|y*|, 1)
    growth_slack  allowed excess of the growth exponent over 1
    norm_steps, norm_tol  of the spectral norms (`lipschitz.local`); lower bounds are used where they do not settle

    Probing can refute regularity but only support it: it sees the states it looks at.
    Returns an `Audit`. Raises TypeError or ValueError for arguments that cannot be right.

    >>> import torch
    >>> x = torch.tensor([[0.5], [1.0]], dtype=torch.float64)
    >>> found = audit(lambda y, x: y - 0.5 * (x * y - 1), torch.zeros_like(x), x)  # mu = 1 - eta x (paper, section 2)
    >>> found.regular, found.mu.round(decimals=6).tolist(), found.measured.round(decimals=6).tolist()  # |d(1/x)/dx| = 1 / x^2
    (True, [0.75, 0.5], [4.0, 1.0])
    """
    tol = _check(
        G, y0, x, max_steps, tol, probes, radius, scales, growth_slack, norm_steps, norm_tol, seed
    )
    settings = dict(max_steps=norm_steps, tol=norm_tol)
    batch = len(y0)
    solution = fixed_point.solve(
        G, y0, x, method=fixed_point.Anderson(), max_steps=max_steps, tol=tol, throw=False
    )
    solved = solution.success
    found = solved.reshape(-1, *[1] * (y0.dim() - 1))
    y = torch.where(found, solution.y, y0.detach())  # y0 stands in where there is no fixed point
    size = lipschitz._norm(y).clamp_min(1.0)

    generator = torch.Generator().manual_seed(seed)

    def direction() -> (
        Tensor
    ):  # unit per sample, the same for every sample, so that results do not depend on neighbours
        d = torch.randn(y0.shape[1:], generator=generator, dtype=torch.float64)
        return (d / d.norm()).to(y).expand_as(y)

    def scaled(factor: Tensor, d: Tensor) -> Tensor:
        return factor.reshape(-1, *[1] * (d.dim() - 1)) * d

    # (ii) contraction in y, at y* and around it
    in_y = lambda y: G(y, x)
    mu, settled = _spectral(in_y, y, settings)
    for _ in range(probes):
        a, b = (
            y + scaled(distance * size, direction()) for distance in (radius, 0.5 * radius)
        )  # never the same state
        slope, ok = _spectral(in_y, a, settings)
        mu, settled = torch.maximum(mu, slope), settled & ok
        mu = torch.maximum(mu, lipschitz.difference_ratio(in_y, a, b - a))

    # (i) Lipschitz in x, at y* and for growing y
    in_x = lambda y: lambda x: G(y, x)
    lipschitz_x, ok = _spectral(in_x(y), x, settings)
    settled = settled & ok
    ray = direction()
    slopes = torch.stack(
        [_spectral(in_x(scaled(scale * size, ray)), x, settings)[0] for scale in scales]
    )  # (S, B)
    growth = _exponent(torch.tensor(scales).to(slopes), slopes)

    contracts = mu < 1
    bound = torch.where(
        contracts, lipschitz_x / (1 - mu).clamp_min(torch.finfo(mu.dtype).tiny), torch.inf
    )
    measured, known = _measured(G, y, x, max_steps, tol, settings)
    measured = torch.where(solved & known, measured, torch.nan)
    lipschitz_x, bound = (torch.where(solved, v, torch.nan) for v in (lipschitz_x, bound))

    linear = growth <= 1 + growth_slack
    # the bound is an inequality between measured numbers: allow for their tolerances, amplified by 1 / (1 - mu)
    slack = 1 + norm_tol * (1 + 1 / (1 - mu).clamp_min(torch.finfo(mu.dtype).eps))
    bounded = ~contracts | measured.isnan() | (measured <= slack * bound)
    lines = [
        _line(
            solved,
            "a fixed point was found",
            "no fixed point was found",
            solution.residuals.nan_to_num(torch.inf).amin(1),
            "least residual",
        ),
        _line(
            contracts, "mu(x) < 1: a contraction in y", "mu(x) >= 1: no contraction in y", mu, "mu"
        ),
        _line(
            linear,
            "Lip_x(G) grows at most linearly in |y|",
            "Lip_x(G) grows faster than linearly in |y|",
            growth,
            "exponent",
        ),
        _line(
            bounded,
            "|dy*/dx| <= Lip_x(G)(y*) / (1 - mu)",
            "the necessity bound is violated",
            measured / bound,
            "measured / bound",
        ),
    ]
    if not bool(settled.all()):
        lines.append(
            "note    some spectral norms did not settle; their lower bounds were used: raise norm_steps"
        )
    regular = bool((solved & contracts & linear & bounded).all())
    report = "\n".join(
        [f"{'regular' if regular else 'NOT regular'} on {batch} samples, as far as probed", *lines]
    )
    return Audit(mu, lipschitz_x, growth, bound, measured, solved, regular, report)


def _spectral(f, at, settings) -> tuple[Tensor, Tensor]:
    jvp, vjp = linearise(f, at)
    if jvp is None:  # f does not depend on its argument
        return at.new_zeros(len(at)), torch.ones(len(at), dtype=torch.bool, device=at.device)
    return largest_singular_value(jvp, vjp, at, **settings)


def _exponent(scales: Tensor, slopes: Tensor) -> Tensor:
    """Steepest log-log slope between neighbouring scales, (B,); 0 where Lip_x vanishes, infinite where it overflows."""
    tiny = torch.finfo(slopes.dtype).tiny
    rise = slopes.clamp_min(tiny).log().diff(dim=0) / scales.log().diff()[:, None]
    rise = torch.where(slopes[1:] > tiny, rise, 0.0)
    return torch.where(torch.isfinite(slopes).all(dim=0), rise.amax(dim=0), torch.inf)


def _measured(G, y, x, max_steps, tol, settings) -> tuple[Tensor, Tensor]:
    """|dy*/dx| (B,), and where it is known: all solves with 1 - dG/dy and its transpose succeeded, norm settled."""
    along_y, back_y = linearise(lambda y: G(y, x), y)
    along_x, back_x = linearise(lambda x: G(y, x), x)
    known = torch.ones(len(y), dtype=torch.bool, device=y.device)
    if along_x is None:
        return torch.zeros_like(known, dtype=y.dtype), known
    if along_y is None:
        along_y = back_y = torch.zeros_like

    def resolve(apply: Callable, b: Tensor) -> Tensor:  # u = apply(u) + b
        nonlocal known
        solution = fixed_point.solve(
            lambda u, b: apply(u) + b,
            torch.zeros_like(b),
            b,
            max_steps=max_steps,
            tol=tol,
            throw=False,
        )
        known = known & solution.success
        return solution.y

    jvp = lambda v: resolve(along_y, along_x(v))
    vjp = lambda u: back_x(resolve(back_y, u))
    measured, settled = largest_singular_value(jvp, vjp, x, **settings)
    return measured, known & settled


def _line(ok: Tensor, good: str, bad: str, value: Tensor, name: str) -> str:
    """One finding in words, with the worst value of those it speaks of."""
    value = value.nan_to_num(nan=-torch.inf)
    if bool(ok.all()):
        return f"yes     {good} (largest {name} {value.max().item():.4g})"
    failing = (~ok).nonzero().flatten().tolist()
    return f"NO      {bad} in {len(failing)} of {len(ok)} samples {failing[:8]} (largest {name} {value[~ok].max().item():.4g})"


def _check(
    G, y0, x, max_steps, tol, probes, radius, scales, growth_slack, norm_steps, norm_tol, seed
) -> float:
    if not isinstance(x, Tensor) or not x.is_floating_point():
        raise TypeError(
            f"x must be a real floating tensor, got {getattr(x, 'dtype', type(x).__name__)}: Lip_x(G) is not defined for other "
            "inputs; lipschitz.local(lambda y: G(y, x), y) gives mu alone"
        )
    if tol is None and isinstance(y0, Tensor) and y0.is_floating_point():
        tol = 1e3 * torch.finfo(y0.dtype).eps
    fixed_point._check(G, y0, x, fixed_point.Anderson(), max_steps, tol)
    for name, value, least in (
        ("probes", probes, 0),
        ("norm_steps", norm_steps, 1),
        ("seed", seed, 0),
    ):
        fixed_point._require(
            fixed_point._is_int(value) and value >= least,
            name,
            value,
            f"an int of at least {least}",
        )
    for name, value in (("radius", radius), ("growth_slack", growth_slack), ("norm_tol", norm_tol)):
        fixed_point._require(
            fixed_point._is_real(value) and value > 0, name, value, "a positive number"
        )
    rising = (
        len(scales) >= 2
        and all(fixed_point._is_real(s) and s > 0 for s in scales)
        and list(scales) == sorted(set(scales))
    )
    fixed_point._require(rising, "scales", scales, "two or more rising positive numbers")
    return tol
