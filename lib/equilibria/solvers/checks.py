"""Checks of what a caller of `solve` gives, and of what G returns."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from equilibria.checks import is_real, require, require_int
from equilibria.solvers.method import Method
from equilibria.solvers.newton_krylov import NewtonKrylov

__all__ = ["check_solve_arguments", "image_like"]


def check_solve_arguments(
    G: Any,
    y0: Any,
    x: Any,
    method: Any,
    max_steps: Any,
    tol: Any,
    *,
    steps_name: str = "max_steps",
) -> None:
    """Find everything that can be wrong with arguments of `solve` before G is evaluated.

    Raises TypeError or ValueError, which name the argument and its value; ``steps_name`` is what
    the caller calls ``max_steps``.
    """
    require(callable(G), "G", G, "callable", TypeError)
    _check_start(y0)
    a_method = "a Picard, Anderson, Broyden or NewtonKrylov object"
    require(isinstance(method, Method), "method", method, a_method, TypeError)
    if isinstance(method, NewtonKrylov):
        # its least-squares problems have no half-precision solver
        fits = y0.dtype in (torch.float32, torch.float64)
        require(fits, "y0", y0.dtype, "float32 or float64 for NewtonKrylov", TypeError)
    require_int(steps_name, max_steps, least=1)
    if tol is not None:
        require(is_real(tol), "tol", tol, "a number or None", TypeError)
        eps = torch.finfo(y0.dtype).eps
        require(eps <= tol < 1, "tol", tol, f"in [{eps:.3g}, 1), the resolution of {y0.dtype}")
    if isinstance(x, Tensor):
        _check_input(x, y0)
    _check_finite(y0)


def image_like(g: Any, y: Tensor) -> Tensor:
    """What G returned, ``g``, which must have y's shape, dtype and device.

    Raises TypeError where it is no tensor, ValueError where it is another kind of tensor.
    """
    if not isinstance(g, Tensor):
        raise TypeError(f"G must return a tensor, got {type(g).__name__}")
    if g.shape != y.shape or g.dtype != y.dtype or g.device != y.device:
        raise ValueError(
            f"G(y, x) must have y's shape {tuple(y.shape)}, dtype {y.dtype} "
            f"and device {y.device}, got {tuple(g.shape)}, {g.dtype}, {g.device}"
        )
    return g


def _check_start(y0: Any) -> None:
    require(isinstance(y0, Tensor), "y0", type(y0).__name__, "a tensor", TypeError)
    require(y0.is_floating_point(), "y0", y0.dtype, "of a real floating dtype", TypeError)
    filled = y0.dim() >= 1 and y0.numel() > 0
    require(filled, "y0", tuple(y0.shape), "of shape (B, ...), not empty")


def _check_input(x: Tensor, y0: Tensor) -> None:
    batched = x.dim() >= 1 and x.shape[0] == y0.shape[0]
    like_y0 = f"batched like y0, which has shape {tuple(y0.shape)}"
    require(batched, "x", tuple(x.shape), like_y0)
    same_dtype = not x.is_floating_point() or x.dtype == y0.dtype
    require(same_dtype, "x", x.dtype, f"of y0's dtype {y0.dtype}", TypeError)
    require(x.device == y0.device, "x", x.device, f"on y0's device {y0.device}")


def _check_finite(y0: Tensor) -> None:
    finite = torch.isfinite(y0)
    if bool(finite.all()):
        return
    broken = ~finite.reshape(y0.shape[0], -1).all(dim=1)
    samples = broken.nonzero().flatten().tolist()
    raise ValueError(f"y0 must be finite, got NaN or infinity in samples {samples}")
