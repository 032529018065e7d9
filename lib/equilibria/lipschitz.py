"""How steep is a map: difference ratios and local Lipschitz constants, per sample (paper, sections 2 to 5).

=================  ====================================================================================
``f(x)``           map of a batch, (B, ...) -> (B, ...), treating samples independently, e.g. x -> y_t(x)
``J``              Jacobian of one sample's f at its x
``|J|``            spectral norm: the local Lipschitz constant, sup over small dx of |f(x + dx) - f(x)| / |dx|
=================  ====================================================================================
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from equilibria.derivatives import largest_singular_value, linearise

__all__ = ["NotConverged", "difference_ratio", "local"]


class NotConverged(RuntimeError):
    """Some spectral norms did not settle; `.estimate` (B,) holds lower bounds, `.converged` (B,) says which are good."""

    def __init__(self, estimate: Tensor, converged: Tensor, max_steps: int):
        self.estimate, self.converged = estimate, converged
        bad = (~converged).nonzero().flatten().tolist()
        super().__init__(
            f"spectral norm not settled after {max_steps} steps for samples {bad[:8]}{'...' if len(bad) > 8 else ''}: "
            "raise max_steps, loosen tol, or pass throw=False to accept the lower bounds in .estimate"
        )


def difference_ratio(f: Callable[[Tensor], Tensor], x: Tensor, dx: Tensor) -> Tensor:
    """|f(x + dx) - f(x)| / |dx| per sample, (B,): the paper's estimate L_t, a lower bound of the Lipschitz constant.

    x, dx  (B, ...), same shape and dtype; no dx may be zero.
    Raises TypeError or ValueError for tensors that do not fit, or a dx that is zero.

    >>> difference_ratio(lambda x: 3 * x, torch.ones(2, 4), torch.full((2, 4), 0.5)).tolist()
    [3.0, 3.0]
    """
    _check(f, x)
    if not isinstance(dx, Tensor) or dx.dtype != x.dtype:
        raise TypeError(
            f"dx must be a tensor of x's dtype {x.dtype}, got {getattr(dx, 'dtype', type(dx).__name__)}"
        )
    if dx.shape != x.shape:
        raise ValueError(f"dx must have x's shape {tuple(x.shape)}, got {tuple(dx.shape)}")
    size = _norm(dx)
    if not bool((size > 0).all()) or not bool(torch.isfinite(size).all()):
        raise ValueError(f"dx must be finite and not zero in any sample, got norms {size.tolist()}")
    with torch.no_grad():
        return _norm(f(x + dx) - f(x)) / size


def local(
    f: Callable[[Tensor], Tensor],
    x: Tensor,
    *,
    max_steps: int = 50,
    tol: float = 1e-3,
    throw: bool = True,
) -> Tensor:
    """Spectral norm of each sample's Jacobian of f at x, (B,): the local Lipschitz constant of f (paper, Thm 2.5).

    Power iteration on J'J, one jvp and one vjp a step, without throwing the earlier directions away (Lanczos:
    the largest Ritz value on the space that the power iteration spans, so never a worse estimate). A sample has converged when its residual
    |J'J v - s^2 v| is at most tol s^2 (s is then a singular value to relative tol / 2, and in general to about tol^2),
    or when the space is exhausted. Starts from a fixed random direction: results are repeatable.

    f    torch function of a batch of samples, (B, ...) -> (B, ...); evaluated once, under enabled gradients
    x    (B, ...) real floating
    Returns (B,) without gradients; with throw=False a lower bound where it did not converge, NaN where f(x) is.
    Raises `NotConverged` (a RuntimeError with the estimates) if throw, TypeError or ValueError for bad arguments.

    >>> local(lambda x: torch.stack([2 * x[:, 0], 5 * x[:, 1]], 1), torch.zeros(1, 2)).round(decimals=4).tolist()
    [5.0]
    """
    _check(f, x)
    if not isinstance(max_steps, int) or isinstance(max_steps, bool) or max_steps < 1:
        raise ValueError(f"max_steps must be an int of at least 1, got {max_steps!r}")
    if not isinstance(tol, (int, float)) or isinstance(tol, bool) or not 0 < tol < 1:
        raise ValueError(f"tol must be a number in (0, 1), got {tol!r}")
    jvp, vjp = linearise(f, x)
    if jvp is None:
        raise ValueError(
            "f(x) must depend on x differentiably, got a result without a graph: f is constant, or detaches (solve does; use trajectory)"
        )
    estimate, converged = largest_singular_value(jvp, vjp, x, max_steps=max_steps, tol=tol)
    if throw and not bool(converged.all()):
        raise NotConverged(estimate, converged, max_steps)
    return estimate


def _norm(a: Tensor) -> Tensor:
    return torch.linalg.vector_norm(a.reshape(a.shape[0], -1), dim=1)


def _check(f: Any, x: Any) -> None:
    if not callable(f):
        raise TypeError(f"f must be callable, got {type(f).__name__}")
    if not isinstance(x, Tensor) or not x.is_floating_point():
        raise TypeError(
            f"x must be a real floating tensor, got {getattr(x, 'dtype', type(x).__name__)}"
        )
    if x.dim() < 1 or x.numel() == 0:
        raise ValueError(f"x must have shape (B, ...) and not be empty, got {tuple(x.shape)}")
