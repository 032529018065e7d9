"""The steady equation on few wavenumbers, as a dense system (see `problems.flow_equation`).

On the wavenumbers |k| <= largest alone the equation has some hundred unknowns, so that its
derivative is a matrix that can be inverted. Transport stays orthogonal to the stream function, and
so the bound on w by the forcing holds here too.

========  =========================================================================================
``R``     number of wavenumbers of which one of each pair k, -k is kept
``x``     unknowns, (2 R,) float64: the real, then the imaginary parts of w's coefficients
``c``     the same of curl f
========  =========================================================================================
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.fft import irfft2, rfft2

from equilibria.problems.flow_grid import half_plane

__all__ = ["Galerkin"]


class _Coupling(NamedTuple):
    """How the coefficient at k takes part in the derivative along the coefficient at m."""

    factor: Tensor  # (R, R) real
    row: Tensor  # (R, R) where w_{k-m} stands in a full spectrum
    column: Tensor


class Galerkin:
    """The equation on the wavenumbers |k| <= ``largest``, on the CPU."""

    def __init__(self, largest: int, viscosity: float):
        self.viscosity = viscosity
        k, l, half = half_plane(  # noqa: E741  the pair (k, l)
            torch.arange(-largest, largest + 1), torch.arange(largest + 1)
        )
        half = half & (k**2 + l**2 <= largest**2)
        self.k = torch.stack([k[half], l[half]])  # (2, R)
        self.size = 2 * largest + 1  # points of the smallest grid that holds all of them
        square = self.k.square().sum(0).double()
        self.damping = viscosity * torch.cat([square, square])  # nu |k|^2, (2 R,)
        self._with_m = self._coupling(self.k, square, largest)
        self._with_minus_m = self._coupling(-self.k, square, largest)

    @classmethod
    def fitting(cls, n: int, viscosity: float, *, largest: int) -> Galerkin:
        """The space of an n x n grid with wavenumbers up to ``largest``, or as many as n allows."""
        return cls(min(largest, (n - 1) // 3), viscosity)

    def _coupling(self, m: Tensor, square: Tensor, largest: int) -> _Coupling:
        # transport at k along v: sum over m of
        #   v_m w_{k-m} ((k - m) x m) (1 / |k - m|^2 - 1 / |m|^2)
        d = self.k[:, :, None] - m[:, None, :]
        far = d.square().sum(0)
        factor = (d[0] * m[1] - d[1] * m[0]) * (1 / far.clamp_min(1).double() - 1 / square)
        inside = torch.where(far <= largest**2, factor, 0.0)
        return _Coupling(inside, d[0] % self.size, d[1] % self.size)

    def down(self, field: Tensor) -> Tensor:
        """Fields (..., n, n) -> unknowns (..., 2 R)."""
        z = rfft2(field.cpu())[..., self.k[0], self.k[1]] / field.shape[-1] ** 2
        return torch.cat([z.real, z.imag], -1)

    def up(self, x: Tensor, n: int) -> Tensor:
        """Unknowns (..., 2 R) -> fields (..., n, n)."""
        values: Tensor = irfft2(self._spectrum(x, n)[..., : n // 2 + 1], s=(n, n)) * n**2
        return values

    def _spectrum(self, x: Tensor, n: int) -> Tensor:
        """All n x n coefficients, those of -k included."""
        real, imaginary = x.chunk(2, -1)
        z = torch.complex(real, imaginary)
        a = torch.zeros(*x.shape[:-1], n, n, dtype=torch.complex128)
        a[..., self.k[0], self.k[1]] = z
        a[..., -self.k[0], -self.k[1]] = z.conj()
        return a

    def equation(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """u.grad w - nu lap w at x, (2 R,), and its derivative, (2 R, 2 R)."""
        w = self._spectrum(x, self.size)
        p = self._with_m.factor * w[self._with_m.row, self._with_m.column]
        q = self._with_minus_m.factor * w[self._with_minus_m.row, self._with_minus_m.column]
        # transport along v = a + i b is p v + q conj(v) = (p + q) a + i (p - q) b:
        # the real parts of both terms above, their imaginary parts below
        above = torch.cat([(p + q).real, (q - p).imag], 1)
        below = torch.cat([(p + q).imag, (p - q).real], 1)
        derivative = torch.cat([above, below])
        # transport is quadratic: half of its derivative along x itself
        left = 0.5 * derivative @ x + self.damping * x
        derivative.diagonal().add_(self.damping)
        return left, derivative

    def newton(self, x: Tensor, c: Tensor) -> Tensor:
        """The solution for c near x by plain Newton steps; x itself where they do not converge."""
        start = x
        for _ in range(12):
            left, derivative = self.equation(x)
            if (left - c).norm() <= 1e-9 * c.norm():
                return x
            x = x - torch.linalg.solve(derivative, left - c)
        return start
