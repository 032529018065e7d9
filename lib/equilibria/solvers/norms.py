"""Norms of numbers of any size: squares that underflow or overflow are no zeros and no infinities.

The plain norm loses components below the square root of the smallest number: in float32, 1e-24 has
the norm 0, and 1e20 has the norm infinity. Where the plain norm is outside of the range in which it
is exact to rounding, it is computed anew as max |v_i| times |v / max |v_i||.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.linalg import vector_norm

__all__ = ["correct_norm", "exact_range", "norm"]


def exact_range(v: Tensor) -> tuple[float, float]:
    """The plain norms of ``v`` (B, n) that are exact to rounding: from the first to the second."""
    info = torch.finfo(torch.promote_types(v.dtype, torch.float32))
    # n components, each of whose squares may lose all of the smallest normal number
    return math.sqrt(v.shape[1] * info.smallest_normal / info.eps), math.sqrt(info.max)


def norm(v: Tensor) -> Tensor:
    """|v| of each sample of ``v`` (B, n), (B,), in float32 at least; makes no host wait."""
    # half precision cannot sum squares
    plain: Tensor = vector_norm(v, dim=1, dtype=torch.promote_types(v.dtype, torch.float32))
    correct_norm(v, plain, *exact_range(v))
    return plain


def correct_norm(v: Tensor, plain: Tensor, low: float, high: float) -> None:
    """Replace those of the ``plain`` norms (B,) of ``v`` (B, n) that are outside of [low, high]."""
    scaled = _scaled(v.to(plain.dtype), plain)
    plain.copy_(torch.where((plain >= low) & (plain <= high), plain, scaled))


def _scaled(v: Tensor, plain: Tensor) -> Tensor:
    """|v| by way of v / max |v_i|; the plain norm where that is no number to divide by."""
    size = v.abs().amax(dim=1)
    usable = (size > 0) & size.isfinite()
    divisor = torch.where(usable, size, 1.0).unsqueeze(1)
    return torch.where(usable, vector_norm(v / divisor, dim=1) * size, plain)
