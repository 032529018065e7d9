"""The steady equation as an implicit operator: w = G(w, c) (paper, section 5.2).

    G(w, c) = (nu lap)^-1 (u.grad w - c),   c = curl f

It is regular where the forcing is weak. Float64 is needed beyond a relative residual of 1e-6.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor
from torch.fft import rfft2

from equilibria.problems.flow_equation import check_viscosity
from equilibria.problems.flow_grid import grid_of

__all__ = ["operator"]


def operator(viscosity: float) -> Callable[[Tensor, Tensor], Tensor]:
    """G(w, c) for `equilibria.solve`: vorticity w and curl of the forcing c, both (B, n, n).

    Raises ValueError for a viscosity <= 0.
    """
    check_viscosity(viscosity)

    def G(w: Tensor, c: Tensor) -> Tensor:
        grid = grid_of(w)
        negative_inverse = grid.inverse * grid.below_nyquist / viscosity  # -(nu lap)^-1
        return grid.to_points((rfft2(c) - grid.transport(rfft2(w))) * negative_inverse).to(w.dtype)

    return G
