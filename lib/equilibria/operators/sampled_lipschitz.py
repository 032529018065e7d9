"""An estimate of a target's local Lipschitz constant from samples, where no bound is known."""

from collections.abc import Callable

import torch
from torch import Tensor

from equilibria.checks import is_int, require

__all__ = ["beside", "sampled_lipschitz"]


def sampled_lipschitz(
    F: Callable[[Tensor], Tensor], *, points: int = 33, safety: float = 2.0
) -> Callable[[Tensor, Tensor], Tensor]:
    """An estimate L(x, rho) = safety max(chords, slopes) of the local Lipschitz constant of F.

    F is sampled at `points` places on each axis through x, from -rho to rho. A chord between
    neighbouring places sees a jump; a slope |dF/dx| (Frobenius norm) sees a derivative that blows
    up. The estimate is infinite where F is not finite at a place. The true constant may be larger
    between the places and off the axes, so the estimate supports regularity without proving it.
    It suits inputs of up to a few dozen dimensions.

    Where F ends at an edge with a finite slope the estimate jumps to infinity there, and eps has
    no derivative (see `equilibria.operators.sufficiency.SteepnessStep`).

    F       (B, d) -> (B, n)
    points  odd, at least 3
    safety  at least 1
    Returns (x (B, d), rho (B,)) -> (B,). Raises ValueError for points or safety out of range.
    """
    odd = is_int(points) and points >= 3 and points % 2 == 1
    require(odd, "points", points, "an odd integer of at least 3")
    require(safety >= 1, "safety", safety, "at least 1")

    def bound(x: Tensor, rho: Tensor) -> Tensor:
        with torch.enable_grad():
            line = _places(x, rho, points).flatten(0, 2)  # (B points d, ...)
            if not line.requires_grad:
                line.requires_grad_()
            value = F(line).flatten(1)  # (B points d, n)
            slope = _jacobian_norm(value, line).reshape(len(x), -1)
        value = value.reshape(len(x), points, x[0].numel(), -1)
        chord = _chords(value, rho, points).flatten(1)
        steepest = torch.maximum(chord.amax(1), slope.amax(1))
        finite = torch.isfinite(value).flatten(1).all(1)
        return torch.where(finite, safety * steepest, torch.inf)

    return bound


def _places(x: Tensor, rho: Tensor, points: int) -> Tensor:
    """The sampled places on the axes through each x, (B, points, d, ...)."""
    places = torch.linspace(-1, 1, points, dtype=x.dtype, device=x.device)
    axes = torch.eye(x[0].numel(), dtype=x.dtype, device=x.device).reshape(-1, *x.shape[1:])
    offsets = places.reshape(-1, 1, *[1] * (x.dim() - 1)) * axes  # (points, d, ...)
    return x[:, None, None] + beside(rho, x)[:, None, None] * offsets


def _jacobian_norm(value: Tensor, at: Tensor) -> Tensor:
    """The Frobenius norm of d value / d at, one per row, with a graph of its own."""
    rows = []
    for column in value.unbind(1):
        (row,) = torch.autograd.grad(column.sum(), at, create_graph=True)
        rows.append(row.flatten(1))
    norm: Tensor = torch.cat(rows, 1).norm(dim=1)
    return norm


def _chords(value: Tensor, rho: Tensor, points: int) -> Tensor:
    """|F(a) - F(b)| / |a - b| of neighbours; value (B, points, d, n) -> (B, points - 1, d)."""
    length = (rho * 2 / (points - 1)).clamp(min=torch.finfo(rho.dtype).tiny)
    apart: Tensor = value.diff(dim=1).norm(dim=3)
    return apart / length[:, None, None]


def beside(a: Tensor, like: Tensor) -> Tensor:
    """(B,) -> (B, 1, ...), to be multiplied with `like` (B, ...)."""
    return a.reshape(-1, *[1] * (like.dim() - 1))
