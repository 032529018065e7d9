"""How steep is a map: difference ratios and local Lipschitz constants (paper, sections 2 to 5).

===========  ======================================================================
``f(x)``     map of a batch, (B, ...) -> (B, ...), which treats samples independently,
             such as x -> y_t(x)
``J``        Jacobian of one sample's f at its x
``|J|``      spectral norm, which is the local Lipschitz constant: the supremum of
             |f(x + dx) - f(x)| / |dx| over small dx
===========  ======================================================================
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from equilibria.checks import require, require_int, require_real
from equilibria.derivatives import TensorMap, largest_singular_value, linearise

__all__ = ["NotConverged", "difference_ratio", "local", "sample_norm"]

SAMPLES_SHOWN = 8  # how many samples an error message names


class NotConverged(RuntimeError):
    """Some spectral norms did not settle.

    `.estimate` (B,) holds lower bounds, `.converged` (B,) bool says which are good.
    """

    def __init__(self, estimate: Tensor, converged: Tensor, max_steps: int) -> None:
        self.estimate = estimate
        self.converged = converged
        bad = (~converged).nonzero().flatten().tolist()
        more = "..." if len(bad) > SAMPLES_SHOWN else ""
        super().__init__(
            f"spectral norm not settled after {max_steps} steps for samples "
            f"{bad[:SAMPLES_SHOWN]}{more}: raise max_steps, loosen tol, or pass throw=False "
            "to accept the lower bounds in .estimate"
        )


def difference_ratio(f: TensorMap, x: Tensor, dx: Tensor) -> Tensor:
    """|f(x + dx) - f(x)| / |dx| per sample, (B,): the paper's estimate L_t.

    It is a lower bound of the Lipschitz constant.

    x, dx  (B, ...), of the same shape and dtype; no dx may be zero
    Raises TypeError or ValueError for tensors that do not fit, or a dx that is zero.

    >>> difference_ratio(lambda x: 3 * x, torch.ones(2, 4), torch.full((2, 4), 0.5)).tolist()
    [3.0, 3.0]
    """
    _check(f, x)
    if not isinstance(dx, Tensor) or dx.dtype != x.dtype:
        got = getattr(dx, "dtype", type(dx).__name__)
        raise TypeError(f"dx must be a tensor of x's dtype {x.dtype}, got {got}")
    if dx.shape != x.shape:
        raise ValueError(f"dx must have x's shape {tuple(x.shape)}, got {tuple(dx.shape)}")
    size = sample_norm(dx)
    if not bool((size > 0).all()) or not bool(torch.isfinite(size).all()):
        raise ValueError(f"dx must be finite and not zero in any sample, got norms {size.tolist()}")
    with torch.no_grad():
        return sample_norm(f(x + dx) - f(x)) / size


def local(
    f: TensorMap,
    x: Tensor,
    *,
    max_steps: int = 50,
    tol: float = 1e-3,
    throw: bool = True,
) -> Tensor:
    """The local Lipschitz constant of f at x, (B,): the norm |J| (paper, Theorem 2.5).

    Power iteration on J'J, with one product J v and one J'u per step, that keeps its directions:
    the largest Ritz value on the space that it spans (Lanczos), so never a worse estimate. A sample
    has converged when its residual |J'J v - s^2 v| is at most tol s^2, or when the space is
    exhausted. Then s is a singular value to relative tol / 2, and in general to about tol^2. The
    first direction is random and always the same: results are repeatable.

    f          torch function of a batch of samples, (B, ...) -> (B, ...); it is evaluated once,
               with gradients enabled
    x          (B, ...) real floating
    max_steps  most steps, at least 1
    tol        in (0, 1)
    throw      whether to raise where it did not converge; otherwise the result is a lower bound
               there, and NaN where f(x) is

    Returns (B,) without gradients. Raises `NotConverged` (a RuntimeError with the estimates) if
    throw; TypeError or ValueError for arguments that cannot be right.

    >>> f = lambda x: torch.stack([2 * x[:, 0], 5 * x[:, 1]], dim=1)
    >>> local(f, torch.zeros(1, 2)).round(decimals=4).tolist()
    [5.0]
    """
    _check(f, x)
    require_int("max_steps", max_steps, least=1)
    require_real("tol", tol)
    require(0 < tol < 1, "tol", tol, "in (0, 1)")
    derivative = linearise(f, x)
    if derivative is None:
        raise ValueError(
            "f(x) must depend on x differentiably, got a result without a graph: "
            "f is constant, or detaches (solve does; use trajectory)"
        )
    estimate, converged = largest_singular_value(derivative, x, max_steps=max_steps, tol=tol)
    if throw and not bool(converged.all()):
        raise NotConverged(estimate, converged, max_steps)
    return estimate


def sample_norm(a: Tensor) -> Tensor:
    """The Euclidean norm of each sample of ``a`` (B, ...), (B,)."""
    norms: Tensor = torch.linalg.vector_norm(a.reshape(a.shape[0], -1), dim=1)
    return norms


def _check(f: Any, x: Any) -> None:
    if not callable(f):
        raise TypeError(f"f must be callable, got {type(f).__name__}")
    if not isinstance(x, Tensor) or not x.is_floating_point():
        got = getattr(x, "dtype", type(x).__name__)
        raise TypeError(f"x must be a real floating tensor, got {got}")
    if x.dim() < 1 or x.numel() == 0:
        raise ValueError(f"x must have shape (B, ...) and not be empty, got {tuple(x.shape)}")
