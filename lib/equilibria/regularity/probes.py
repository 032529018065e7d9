"""The measurements of an audit: contraction in y, slope and growth in x, steepness of y*(x)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from equilibria.derivatives import Linearisation, TensorMap, largest_singular_value, linearise
from equilibria.lipschitz import difference_ratio, sample_norm
from equilibria.solvers.loop import solve
from equilibria.solvers.method import Operator

__all__ = [
    "Directions",
    "SpectralNorms",
    "column",
    "contraction",
    "growth_exponent",
    "steepness_of_solution",
]


@dataclass(frozen=True)
class SpectralNorms:
    """How spectral norms are computed.

    The methods return the norms (B,) and whether each norm converged, (B,) bool.
    """

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


class Directions:
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
        return column(distance * self.unit, direction) * direction


def column(values: Tensor, like: Tensor) -> Tensor:
    """``values`` (B,) in the shape (B, 1, ...) that multiplies ``like`` (B, ...)."""
    return values.reshape(-1, *[1] * (like.dim() - 1))


def contraction(
    G: Operator,
    y: Tensor,
    x: Tensor,
    norms: SpectralNorms,
    directions: Directions,
    probes: int,
    radius: float,
) -> tuple[Tensor, Tensor]:
    """The largest slope of y -> G(y, x) at y and at pairs around it, and whether it converged.

    Returns mu (B,) and (B,) bool.
    """

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


def growth_exponent(
    G: Operator,
    y: Tensor,
    x: Tensor,
    norms: SpectralNorms,
    directions: Directions,
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


def steepness_of_solution(
    G: Operator, y: Tensor, x: Tensor, norms: SpectralNorms, max_steps: int, tol: float | None
) -> tuple[Tensor, Tensor]:
    """|dy*/dx| (B,), and whether it is known, (B,) bool.

    It is known where the norm converged and every solve on the way succeeded.

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
