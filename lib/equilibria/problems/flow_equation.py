"""Steady two-dimensional flow on a torus: the equation (paper, section 5.2).

(u.grad) u + grad p = nu lap u + f, div u = 0, on [0, 2 pi)^2. Its curl, with w = d1 u2 - d2 u1:

    u.grad w - nu lap w = curl f = d1 f2 - d2 f1,     u = (d2 psi, -d1 psi),  -lap psi = w

==========  =======================================================================================
``w``       vorticity, (B, n, n), mean zero; x1 runs along dimension 1, x2 along dimension 2
``f``       forcing, (B, 2, n, n); only its curl acts. `manufacture` gives the f of divergence 0,
            `manufacture_without_pressure` the one that balances the pressure, too
``nu``      viscosity, > 0
==========  =======================================================================================

Pseudo-spectral, for any even n (see `flow_grid`). Computed in float64 whatever comes in; results
have the dtype and device of the input. Lengths, times and forces are in the equation's own units.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.fft import rfft2

from equilibria.checks import is_int, is_real, require
from equilibria.derivatives import pushforward
from equilibria.problems.flow_grid import Grid, grid_of, half_plane, waves

__all__ = [
    "check_same_grid",
    "check_viscosity",
    "checked_forcing",
    "checked_vorticity",
    "curl",
    "linearised",
    "local_constant",
    "manufacture",
    "manufacture_without_pressure",
    "residual",
    "velocity",
]


# ------------------------------------------------------------------------------------------ checks
def checked_vorticity(w: Tensor, name: str = "vorticity") -> Tensor:
    """The vorticity w (B, n, n) in float64.

    Raises TypeError or ValueError naming the argument ``name``.
    """
    field = _checked_field(name, w, (), "(B, n, n)")
    mean = field.mean((1, 2)).abs()
    size = field.abs().amax((1, 2))
    if bool((mean > 1e-4 * size).any()):  # single precision may leave a little; it has no effect
        raise ValueError(
            f"{name} must have mean zero, as a curl has on a torus; "
            f"got a mean of {mean.max().item():.3g}"
        )
    return field


def checked_forcing(f: Tensor) -> Tensor:
    """The forcing f (B, 2, n, n) in float64. Raises TypeError or ValueError."""
    return _checked_field("forcing", f, (2,), "(B, 2, n, n)")


def _checked_field(name: str, field: Tensor, components: tuple[int, ...], expected: str) -> Tensor:
    if not isinstance(field, Tensor) or not field.is_floating_point():
        given = getattr(field, "dtype", type(field).__name__)
        raise TypeError(f"{name} must be a real floating tensor, got {given}")
    shape = tuple(field.shape)
    batched = len(shape) == 3 + len(components) and shape[0] > 0
    even = len(shape) > 1 and shape[-1] == shape[-2] and shape[-1] >= 4 and shape[-1] % 2 == 0
    if not (batched and even and shape[1:-2] == components):
        raise ValueError(
            f"{name} must have shape {expected} with an even n of at least 4, got {shape}"
        )
    if not bool(torch.isfinite(field).all()):
        raise ValueError(f"{name} must be finite, got NaN or infinity")
    return field.double()


def check_viscosity(viscosity: float) -> None:
    """Raise ValueError unless the viscosity is a positive number."""
    require(is_real(viscosity) and viscosity > 0, "viscosity", viscosity, "a positive number")


def check_same_grid(w: Tensor, f: Tensor, name: str = "vorticity") -> None:
    """Raise ValueError unless w (argument ``name``) and the forcing f fit each other."""
    if len(w) != len(f) or w.shape[-1] != f.shape[-1]:
        raise ValueError(
            f"{name} and forcing must have one batch size and one n, "
            f"got {tuple(w.shape)} and {tuple(f.shape)}"
        )


# ---------------------------------------------------------------------------------------- equation
def curl(forcing: Tensor) -> Tensor:
    """d1 f2 - d2 f1, (B, n, n), of a forcing (B, 2, n, n)."""
    f = rfft2(checked_forcing(forcing))
    grid = grid_of(forcing)
    return grid.to_points(grid.d1 * f[:, 1] - grid.d2 * f[:, 0]).to(forcing.dtype)


def velocity(vorticity: Tensor) -> Tensor:
    """The velocity u (B, 2, n, n) of the vorticity w (B, n, n); its mean is zero."""
    w = rfft2(checked_vorticity(vorticity))
    grid = grid_of(vorticity)
    components = [grid.to_points(u) for u in grid.velocity(w)]
    return torch.stack(components, 1).to(vorticity.dtype)


def manufacture(vorticity: Tensor, viscosity: float) -> Tensor:
    """The forcing f (B, 2, n, n) under which ``vorticity`` (B, n, n) is a steady flow.

    Many forcings have the same curl; this one has no divergence and mean zero. Raises TypeError or
    ValueError for a field that is not finite, of another shape or not of mean zero, and for a
    viscosity <= 0.

    >>> x = torch.arange(8, dtype=torch.float64) * torch.pi / 4
    >>> w = torch.cos(x)[None, None, :].expand(1, 8, 8)  # u = (-sin x2, 0): Kolmogorov's flow
    >>> torch.allclose(manufacture(w, 0.1)[0, 0], -0.1 * torch.sin(x).expand(8, 8))
    True
    """
    w = checked_vorticity(vorticity)
    check_viscosity(viscosity)
    return _force(w, viscosity, grid_of(vorticity)).to(vorticity.dtype)


def manufacture_without_pressure(vorticity: Tensor, viscosity: float) -> Tensor:
    """f = (u.grad) u - nu lap u, (B, 2, n, n): the forcing of ``vorticity`` with pressure zero.

    It has the curl of `manufacture`, and a gradient part that balances the pressure that the flow
    has under that one. So f knows the pressure, which u and -u share: only the friction
    -nu lap u tells the forcings of w and of -w apart. Products are exact below n / 3 and left out
    beyond. Raises as `manufacture` does.
    """
    w = checked_vorticity(vorticity)
    check_viscosity(viscosity)
    return _full_force(w, viscosity, grid_of(w)).to(vorticity.dtype)


def residual(vorticity: Tensor, forcing: Tensor, viscosity: float) -> Tensor:
    """|u.grad w - nu lap w - curl f| / |curl f| per sample, (B,).

    0 / 0, a fluid at rest without a forcing, is 0. Raises TypeError or ValueError for fields that
    cannot be right and for a viscosity <= 0.
    """
    w = checked_vorticity(vorticity)
    f = checked_forcing(forcing)
    check_same_grid(w, f)
    check_viscosity(viscosity)
    grid = grid_of(w)
    right = curl(f)
    left = grid.to_points(_left_side(w, viscosity, grid))
    off = (left - right).flatten(1).norm(dim=1)
    ratio: Tensor = torch.where(off > 0, off / right.flatten(1).norm(dim=1), off)
    return ratio.to(vorticity.dtype)


def _left_side(w: Tensor, viscosity: float, grid: Grid) -> Tensor:
    """Coefficients of u.grad w - nu lap w."""
    w = rfft2(w) * grid.below_nyquist
    left: Tensor = grid.transport(w) + viscosity * grid.square * w
    return left


def _force(w: Tensor, viscosity: float, grid: Grid) -> Tensor:
    # f = (d2 a, -d1 a) has curl -lap a, so that a = (-lap)^-1 (u.grad w - nu lap w)
    a = _left_side(w, viscosity, grid) * grid.inverse
    return torch.stack([grid.to_points(grid.d2 * a), grid.to_points(-grid.d1 * a)], 1)


def _full_force(w: Tensor, viscosity: float, grid: Grid) -> Tensor:
    coefficients = rfft2(w) * grid.below_nyquist
    friction = viscosity * grid.square * torch.stack(grid.velocity(coefficients), 1)
    moving = grid.velocity(coefficients * grid.alias_free)
    u = torch.stack([grid.to_points(part) for part in moving], 1)
    # (u.grad) u_i = d1 (u1 u_i) + d2 (u2 u_i), since div u = 0
    advection = grid.d1 * rfft2(u[:, :1] * u) + grid.d2 * rfft2(u[:, 1:] * u)
    return grid.to_points(advection * grid.alias_free + friction)


# --------------------------------------------------------------------------------------- steepness
def linearised(
    vorticity: Tensor, change: Tensor, viscosity: float, *, pressure: bool = True
) -> Tensor:
    """The change of forcing df (B, 2, n, n) that keeps the flow steady while w moves.

    It is the derivative of `manufacture`, or where ``pressure`` is False of
    `manufacture_without_pressure`, at ``vorticity`` along dw = ``change``, both (B, n, n).
    |dw| / |df| is a lower bound of the local constant of forcing -> vorticity (paper, section 5.2).
    Raises as `manufacture` does.
    """
    w = checked_vorticity(vorticity)
    grid = grid_of(vorticity)
    if w.shape != change.shape:
        raise ValueError(
            f"change must have vorticity's shape {tuple(w.shape)}, got {tuple(change.shape)}"
        )
    dw = checked_vorticity(change, "change")
    check_viscosity(viscosity)

    def force(w: Tensor) -> Tensor:
        return (_force if pressure else _full_force)(w, viscosity, grid)

    # cloned because either may be expanded, which forward mode does not take
    df: Tensor = pushforward(force, w.clone(), dw.clone())[1]
    return df.to(vorticity.dtype)


def local_constant(
    vorticity: Tensor, viscosity: float, *, largest: int | None = None, pressure: bool = True
) -> Tensor:
    """The local Lipschitz constant of the physical map forcing -> vorticity, per flow, (B,).

    It is the maximum of |dw| / |df| over all dw with wavenumbers up to ``largest`` in either
    direction, with df as `linearised` gives it: exact on that space, so a lower bound, and infinite
    at a fold. None: the space grows by four wavenumbers at a time until the constant grows by less
    than a thousandth or the grid has no more.

    Raises ValueError unless 1 <= largest < n / 2, otherwise as `linearised` does.
    """
    n = vorticity.shape[-1]
    if largest is None:
        return _settled_constant(vorticity, viscosity, pressure)
    require(
        is_int(largest) and 1 <= largest < n / 2, "largest", largest, "None or an int in [1, n / 2)"
    )
    k, l, half = half_plane(  # noqa: E741  the pair (k, l)
        torch.arange(-largest, largest + 1), torch.arange(largest + 1)
    )
    pairs = waves(n, torch.stack([k[half], l[half]], 1))
    basis = pairs.flatten(0, 1).to(vorticity.device)  # cosines and sines, orthonormal
    constants = [_least_stretch(w, basis, viscosity, pressure).rsqrt() for w in vorticity.double()]
    return torch.stack(constants).to(vorticity.dtype)


def _settled_constant(vorticity: Tensor, viscosity: float, pressure: bool) -> Tensor:
    n = vorticity.shape[-1]
    first = min(10, n // 2 - 1)
    constant = local_constant(vorticity, viscosity, largest=first, pressure=pressure)
    for largest in range(14, n // 2, 4):
        before = constant
        constant = local_constant(vorticity, viscosity, largest=largest, pressure=pressure)
        if bool((constant <= 1.001 * before).all()):
            break
    return constant


def _least_stretch(w: Tensor, basis: Tensor, viscosity: float, pressure: bool) -> Tensor:
    """The least |df|^2 / |dw|^2 at one flow w (n, n) over the span of an orthonormal basis."""
    changes = []
    for part in torch.split(basis, 64):
        change = linearised(w.expand(len(part), -1, -1), part, viscosity, pressure=pressure)
        changes.append(change.flatten(1))
    pushed = torch.cat(changes)
    squares: Tensor = torch.linalg.eigvalsh(pushed @ pushed.T)
    return squares[0].clamp_min(0)
