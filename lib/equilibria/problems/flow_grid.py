"""Periodic fields on an n x n grid, their wavenumbers, and fields to begin with.

The square is [0, 2 pi)^2, so that wavenumbers are whole numbers. x1 runs along the second to last
dimension, x2 along the last one. Computed in float64 whatever comes in.

==================  ===============================================================================
``k``, ``l``        wavenumbers along x1 and x2, below n / 2
below ``n / 3``     products of two such fields are exact: what aliases is left out
``n / 2``           the Nyquist frequency, at which a real field has no derivative; it is left out
==================  ===============================================================================
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.fft import fftfreq, irfft2, rfft2, rfftfreq

from equilibria.checks import is_int, is_real, require, require_int

__all__ = [
    "Grid",
    "filtered_vorticity",
    "grid_of",
    "half_plane",
    "random_vorticity",
    "resample",
    "waves",
]


class Grid:
    """Wavenumbers and spectral operators of an n x n grid, as `rfft2` orders the coefficients.

    All tensors are (n, n / 2 + 1) or broadcast to it.
    """

    def __init__(self, n: int, device: torch.device):
        k = fftfreq(n, 1 / n, dtype=torch.float64, device=device)[:, None]
        l = rfftfreq(n, 1 / n, dtype=torch.float64, device=device)[None]  # noqa: E741  pair (k, l)
        self.n = n
        self.square = k**2 + l**2  # -lap
        # (-lap)^-1 on fields of mean zero
        self.inverse = torch.where(self.square > 0, 1 / self.square.clamp_min(1), 0.0)
        self.below_nyquist = ((k.abs() < n / 2) & (l < n / 2)).double()
        self.alias_free = ((k.abs() < n / 3) & (l < n / 3)).double()
        self.d1 = 1j * k * self.below_nyquist
        self.d2 = 1j * l * self.below_nyquist
        self.d1_d2 = -k * l * self.alias_free
        self.d11_minus_d22 = (l**2 - k**2) * self.alias_free

    def to_points(self, coefficients: Tensor) -> Tensor:
        """The values on the grid, (..., n, n)."""
        values: Tensor = irfft2(coefficients, s=(self.n, self.n))
        return values

    def velocity(self, w: Tensor) -> tuple[Tensor, Tensor]:
        """Coefficients of the vorticity w -> those of u1 and u2."""
        stream = w * self.inverse
        return self.d2 * stream, -self.d1 * stream

    def transport(self, w: Tensor) -> Tensor:
        """Coefficients of the vorticity w -> those of u.grad w."""
        u1, u2 = (self.to_points(u) for u in self.velocity(w * self.alias_free))
        # since div u = 0: u.grad w = d1 d2 (u2^2 - u1^2) + (d1 d1 - d2 d2) (u1 u2),
        # which takes two transforms each way
        w_moved: Tensor = self.d1_d2 * rfft2(u2 * u2 - u1 * u1) + self.d11_minus_d22 * rfft2(
            u1 * u2
        )
        return w_moved


_grids: dict[tuple[int, torch.device], Grid] = {}


def grid_of(field: Tensor) -> Grid:
    """The grid that ``field`` (..., n, n) lies on, on its device; each is made once."""
    key = (field.shape[-1], field.device)
    if key not in _grids:
        with torch.inference_mode(False):  # else no gradient could ever pass this grid again
            _grids[key] = Grid(*key)
    return _grids[key]


def half_plane(rows: Tensor, columns: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(k, l, half): all pairs of these wavenumbers, and which of them to keep.

    A real field has conjugate coefficients at (k, l) and (-k, -l), and one of each pair is kept.
    """
    k, l = torch.meshgrid(rows, columns, indexing="ij")  # noqa: E741  the pair (k, l)
    return k, l, (l > 0) | (k > 0)


def resample(field: Tensor, n: int) -> Tensor:
    """The same trigonometric polynomial, given as (..., m, m), on an n x n grid.

    Wavenumbers that either grid lacks are left out. Raises ValueError for an odd n or a field that
    is not square.
    """
    m = field.shape[-1]
    require(is_int(n) and n % 2 == 0 and n >= 4, "n", n, "an even int of at least 4")
    square = field.dim() >= 2 and field.shape[-2] == m
    require(
        square and m % 2 == 0 and m >= 4,
        "field",
        tuple(field.shape),
        "of shape (..., m, m) with an even m of at least 4",
    )
    half = min(m, n) // 2
    a = rfft2(field.double())
    b = a.new_zeros(*field.shape[:-2], n, n // 2 + 1)
    b[..., :half, :half] = a[..., :half, :half]
    b[..., 1 - half :, :half] = a[..., 1 - half :, :half]
    values: Tensor = irfft2(b, s=(n, n)) * (n / m) ** 2
    return values.to(field.dtype)


def random_vorticity(
    count: int, n: int, *, std: float, peak: float = 2.0, generator: torch.Generator
) -> Tensor:
    """Gaussian random fields (count, n, n), float64, of mean zero and standard deviation ``std``.

    Each is white noise times |k|^2 exp(-|k|^2 / peak^2), which is largest at |k| = peak. The noise
    is drawn on a grid that does not depend on n; wavenumbers from n / 3 on are left out.
    Raises ValueError for a count below 1, std <= 0, or a peak below 0.5, TypeError for a count
    that is no int.
    """
    require_int("count", count, least=1)
    require(is_real(std) and std > 0, "std", std, "positive and finite")
    require(is_real(peak) and peak >= 0.5, "peak", peak, "at least 0.5 and finite")
    base = 2 * round(8 * peak)  # beyond half of it the factor is below 1e-25
    source = Grid(base, torch.device("cpu"))
    noise = torch.randn(count, base, base, generator=generator, dtype=torch.float64)
    shaped = rfft2(noise) * source.square * torch.exp(-source.square / peak**2)
    w = resample(source.to_points(shaped), n)
    target = Grid(n, torch.device("cpu"))
    w = target.to_points(rfft2(w) * target.alias_free)
    return std * w / w.std((1, 2), correction=0, keepdim=True)


def filtered_vorticity(
    count: int, n: int, *, speed: float, peak: float = 1.0, generator: torch.Generator
) -> Tensor:
    """Vorticities (count, n, n), float64, of the filtered random velocity fields of jax-cfd.

    White noise in both components is multiplied by the log-normal density of |k|,

        exp(-(log |k| - log peak - 1/4)^2 / (2 / 4)) / |k|      (variance 1/4, mode at the peak),

    made free of divergence, and scaled to the largest speed max |u| = ``speed``. The noise is drawn
    on a grid that does not depend on n; wavenumbers from n / 3 on are left out.
    Raises ValueError for a count below 1, speed <= 0, or a peak below 0.5, TypeError for a count
    that is no int.
    """
    require_int("count", count, least=1)
    require(is_real(speed) and speed > 0, "speed", speed, "positive and finite")
    require(is_real(peak) and peak >= 0.5, "peak", peak, "at least 0.5 and finite")
    source = Grid(2 * round(16 * peak), torch.device("cpu"))
    noise = torch.randn(count, 2, source.n, source.n, generator=generator, dtype=torch.float64)
    k = source.square.clamp_min(1).sqrt()
    off = torch.log(k / peak) - 0.25
    density = torch.exp(-2 * off**2) / k * (source.square > 0)
    u = rfft2(noise) * density
    # the curl forgets the gradient part, so the velocity of this vorticity has no divergence
    w = source.d1 * u[:, 1] - source.d2 * u[:, 0]
    u1, u2 = (source.to_points(component) for component in source.velocity(w))
    fastest = (u1**2 + u2**2).sqrt().amax((1, 2), keepdim=True)
    scaled = resample(speed / fastest * source.to_points(w), n)
    target = Grid(n, torch.device("cpu"))
    return target.to_points(rfft2(scaled) * target.alias_free)


def waves(n: int, wavenumbers: Tensor) -> Tensor:
    """cos(k.x) and sin(k.x), each of norm 1, on an n x n grid: (R, 2, n, n), float64.

    ``wavenumbers`` (R, 2) are whole numbers below n / 2, not both zero; ValueError for others.
    """
    k = wavenumbers.double()
    pairs = k.dim() == 2 and k.shape[1] == 2
    require(
        pairs and not bool((k.abs() >= n / 2).any()) and not bool((k == 0).all(1).any()),
        "wavenumbers",
        wavenumbers.tolist(),
        f"of shape (R, 2), below n / 2 = {n / 2} and not both zero",
    )
    x = 2 * torch.pi / n * torch.arange(n, dtype=torch.float64)
    phase = k[:, 0, None, None] * x[:, None] + k[:, 1, None, None] * x
    return torch.stack([phase.cos(), phase.sin()], 1) * (2**0.5 / n)
