"""Steady two-dimensional flow on a torus, and the data of the Navier-Stokes study (paper, section 5.2).

(u.grad) u + grad p = nu lap u + f, div u = 0, on [0, 2 pi)^2; taking the curl, with w = d1 u2 - d2 u1:

    u.grad w - nu lap w = curl f = d1 f2 - d2 f1,     u = (d2 psi, -d1 psi),  -lap psi = w

=====================  =========================================================================================
``w``                  vorticity, (B, n, n), mean zero; x1 runs along dimension 1, x2 along dimension 2
``f``                  forcing, (B, 2, n, n); only its curl acts: `manufacture` gives the f without divergence
``nu``                 viscosity, > 0
Picard                 w <- (nu lap)^-1 (u.grad w - curl f): an implicit operator, regular where f is small
=====================  =========================================================================================

Pseudo-spectral, any even n: products use the wavenumbers below n / 3 alone and are exact there (no aliasing); the Nyquist
frequency n / 2, at which a real field has no derivative, is left out. Computed in float64 whatever comes in; results have the
input's dtype and device. All lengths, times and forces are in the units of the equation above.

Two regimes of random fields. `unique`: forcing so weak that two unrelated starts find the flow that the forcing was made from; fields for which
they do not are left out, and labels are solved from the forcing. (A second state is not excluded: `other_states` finds one for a few.) `published`: the paper's amplitude and way, f made from a random w. There most
forcings have a second steady state (`another_state` finds it), so forcing -> vorticity is not a function.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.fft import irfft2, rfft2
from tqdm.auto import tqdm

from equilibria import checkpoints
from equilibria.derivatives import pushforward
from equilibria.files import DataError
from equilibria.paths import data_folder
from equilibria.solvers import Anderson, Method, NewtonKrylov, Solution, solve
from equilibria.solvers.checks import check_solve_arguments

__all__ = [
    "REGIMES",
    "Flows",
    "Regime",
    "another_state",
    "curl",
    "data",
    "draw",
    "linearised",
    "local_constant",
    "manufacture",
    "operator",
    "other_states",
    "random_vorticity",
    "resample",
    "residual",
    "steady_state",
    "velocity",
    "waves",
]

VISCOSITY = 0.01
_KRYLOV = 60
_LARGEST = (8, 16)  # wavenumbers of the spaces in which a flow is followed from rest, and refined
_SOLVES = 600  # linear systems that following one flow may take
_STRAIGHT = (
    0.5,
    0.9,
)  # least cosine between the directions of two steps; a long step may leap to the way back, and then shorter ones are taken
_CHUNK = 100  # flows in a file


class _Grid:
    """Wavenumbers of an n x n grid, as rfft2 orders them."""

    def __init__(self, n: int, device: torch.device):
        k = torch.fft.fftfreq(n, 1 / n, dtype=torch.float64, device=device)[:, None]
        l = torch.fft.rfftfreq(n, 1 / n, dtype=torch.float64, device=device)[None]  # noqa: E741
        self.n, self.square = n, k**2 + l**2
        self.inverse = torch.where(
            self.square > 0, 1 / self.square.clamp_min(1), 0.0
        )  # (-lap)^-1 on fields of mean zero
        self.derivable = ((k.abs() < n / 2) & (l < n / 2)).double()  # all but the Nyquist frequency
        self.kept = ((k.abs() < n / 3) & (l < n / 3)).double()
        self.d1, self.d2 = 1j * k * self.derivable, 1j * l * self.derivable
        self.mixed, self.difference = (
            -k * l * self.kept,
            (l**2 - k**2) * self.kept,
        )  # d1 d2 and d1 d1 - d2 d2

    def back(self, a: Tensor) -> Tensor:
        return irfft2(a, s=(self.n, self.n))

    def velocity(self, w: Tensor) -> tuple[Tensor, Tensor]:
        """Fourier coefficients of w -> those of u1 and u2."""
        stream = w * self.inverse
        return self.d2 * stream, -self.d1 * stream

    def transport(self, w: Tensor) -> Tensor:
        """Fourier coefficients of w -> those of u.grad w = d1 d2 (u2^2 - u1^2) + (d1 d1 - d2 d2) (u1 u2): two transforms each way."""
        u1, u2 = (self.back(u) for u in self.velocity(w * self.kept))
        return self.mixed * rfft2(u2 * u2 - u1 * u1) + self.difference * rfft2(u1 * u2)


_grids: dict[tuple[int, torch.device], _Grid] = {}


def _grid(like: Tensor) -> _Grid:
    key = (like.shape[-1], like.device)
    if key not in _grids:
        with torch.inference_mode(False):  # else no gradient could ever pass this grid again
            _grids[key] = _Grid(*key)
    return _grids[key]


def _check(name: str, field: Tensor, dims: str) -> Tensor:
    """A field (B, n, n) or (B, 2, n, n) in float64. Raises TypeError or ValueError naming the argument."""
    if not isinstance(field, Tensor) or not field.is_floating_point():
        raise TypeError(
            f"{name} must be a real floating tensor, got {getattr(field, 'dtype', type(field).__name__)}"
        )
    shape = tuple(field.shape)
    good = (
        len(shape) == dims.count(",") + 1
        and shape[0] > 0
        and shape[-1] == shape[-2]
        and shape[-1] >= 4
        and shape[-1] % 2 == 0
    )
    if not good or (len(shape) == 4 and shape[1] != 2):
        raise ValueError(f"{name} must have shape {dims} with an even n of at least 4, got {shape}")
    if not bool(torch.isfinite(field).all()):
        raise ValueError(f"{name} must be finite, got NaN or infinity")
    return field.double()


def _check_viscosity(viscosity: float) -> None:
    if (
        isinstance(viscosity, bool)
        or not isinstance(viscosity, (int, float))
        or not 0 < viscosity < float("inf")
    ):
        raise ValueError(f"viscosity must be a positive number, got {viscosity!r}")


def _check_vorticity(w: Tensor, name: str = "vorticity") -> Tensor:
    field = _check(name, w, "(B, n, n)")
    mean, size = field.mean((1, 2)).abs(), field.abs().amax((1, 2))
    if bool((mean > 1e-4 * size).any()):  # single precision may leave a little; it has no effect
        raise ValueError(
            f"{name} must have mean zero, as a curl has on a torus; got a mean of {mean.max().item():.3g}"
        )
    return field


def _same_grid(w: Tensor, f: Tensor, name: str = "vorticity") -> None:
    if len(w) != len(f) or w.shape[-1] != f.shape[-1]:
        raise ValueError(
            f"{name} and forcing must have one batch size and one n, got {tuple(w.shape)} and {tuple(f.shape)}"
        )


# ------------------------------------------------------------------------------------------------------------ equation
def curl(forcing: Tensor) -> Tensor:
    """d1 f2 - d2 f1 of (B, 2, n, n), (B, n, n)."""
    f, grid = rfft2(_check("forcing", forcing, "(B, 2, n, n)")), _grid(forcing)
    return grid.back(grid.d1 * f[:, 1] - grid.d2 * f[:, 0]).to(forcing.dtype)


def velocity(vorticity: Tensor) -> Tensor:
    """U (B, 2, n, n) of w (B, n, n); its mean is zero."""
    w, grid = rfft2(_check_vorticity(vorticity)), _grid(vorticity)
    return torch.stack([grid.back(u) for u in grid.velocity(w)], 1).to(vorticity.dtype)


def _left(w: Tensor, viscosity: float, grid: _Grid) -> Tensor:
    """Fourier coefficients of u.grad w - nu lap w."""
    w = rfft2(w) * grid.derivable
    return grid.transport(w) + viscosity * grid.square * w


def _force(w: Tensor, viscosity: float, grid: _Grid) -> Tensor:
    stream = _left(w, viscosity, grid) * grid.inverse
    return torch.stack(
        [grid.back(grid.d2 * stream), grid.back(-grid.d1 * stream)], 1
    )  # the curl of (d2, -d1) a is -lap a


def manufacture(vorticity: Tensor, viscosity: float) -> Tensor:
    """The forcing f (B, 2, n, n), free of divergence and of mean zero, under which `vorticity` (B, n, n) is steady.

    Raises TypeError or ValueError for a field that is not finite, of another shape or not of mean zero, or viscosity <= 0.

    >>> x = torch.arange(8, dtype=torch.float64) * torch.pi / 4
    >>> w = torch.cos(x)[None, None, :].expand(1, 8, 8)  # u = (-sin x2, 0): Kolmogorov's flow
    >>> torch.allclose(manufacture(w, 0.1)[0, 0], -0.1 * torch.sin(x).expand(8, 8))
    True
    """
    w = _check_vorticity(vorticity)
    _check_viscosity(viscosity)
    return _force(w, viscosity, _grid(vorticity)).to(vorticity.dtype)


def residual(vorticity: Tensor, forcing: Tensor, viscosity: float) -> Tensor:
    """|u.grad w - nu lap w - curl f| / |curl f| per sample, (B,); 0 / 0, a flow at rest without a forcing, is 0.

    Raises TypeError or ValueError for fields that cannot be right, or viscosity <= 0.
    """
    w, f = _check_vorticity(vorticity), _check("forcing", forcing, "(B, 2, n, n)")
    _same_grid(w, f)
    _check_viscosity(viscosity)
    grid = _grid(w)
    right = curl(f)
    off = (grid.back(_left(w, viscosity, grid)) - right).flatten(1).norm(dim=1)
    return torch.where(off > 0, off / right.flatten(1).norm(dim=1), off).to(vorticity.dtype)


def operator(viscosity: float):
    """G(w, c) = (nu lap)^-1 (u.grad w - c), c = curl f (B, n, n): Picard's operator for `solve`. Float64 is needed beyond a residual of 1e-6."""
    _check_viscosity(viscosity)

    def G(w: Tensor, c: Tensor) -> Tensor:
        grid = _grid(w)
        return grid.back(
            (rfft2(c) - grid.transport(rfft2(w))) * (grid.inverse * grid.derivable / viscosity)
        ).to(w.dtype)

    return G


class _Galerkin:
    """The equation on the wavenumbers |k| <= largest alone, with a dense derivative. Unknowns x (2 R,): the real, then the imaginary parts of the
    Fourier coefficients of one of each pair k, -k. Transport stays orthogonal to the stream function, so the bound on w by the forcing holds too.
    """

    def __init__(self, largest: int, viscosity: float):
        k, l = torch.meshgrid(
            torch.arange(-largest, largest + 1), torch.arange(largest + 1), indexing="ij"
        )
        half = ((l > 0) | (k > 0)) & (k**2 + l**2 <= largest**2)
        self.k, self.size = torch.stack([k[half], l[half]]), 2 * largest + 1
        square = self.k.square().sum(0).double()
        self.damping = viscosity * torch.cat([square, square])
        self.tables = []
        for m in (
            self.k,
            -self.k,
        ):  # at k, the derivative of transport takes v_m times w_{k-m}, (k - m) x m and 1 / |k - m|^2 - 1 / |m|^2
            d = self.k[:, :, None] - m[:, None, :]
            far = d.square().sum(0)
            factor = (d[0] * m[1] - d[1] * m[0]) * (1 / far.clamp_min(1).double() - 1 / square)
            self.tables.append(
                (torch.where(far <= largest**2, factor, 0.0), d[0] % self.size, d[1] % self.size)
            )

    def down(self, field: Tensor) -> Tensor:
        z = rfft2(field.cpu())[..., self.k[0], self.k[1]] / field.shape[-1] ** 2
        return torch.cat([z.real, z.imag], -1)

    def _spectrum(self, x: Tensor, n: int) -> Tensor:
        z, a = (
            torch.complex(*x.chunk(2, -1)),
            torch.zeros(*x.shape[:-1], n, n, dtype=torch.complex128),
        )
        a[..., self.k[0], self.k[1]], a[..., -self.k[0], -self.k[1]] = z, z.conj()
        return a

    def up(self, x: Tensor, n: int) -> Tensor:
        return irfft2(self._spectrum(x, n)[..., : n // 2 + 1], s=(n, n)) * n**2

    def equation(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """u.grad w - nu lap w at x (2 R,) and its derivative (2 R, 2 R)."""
        w = self._spectrum(x, self.size)
        p, q = (factor * w[i, j] for factor, i, j in self.tables)
        derivative = torch.cat(
            [torch.cat([(p + q).real, (q - p).imag], 1), torch.cat([(p + q).imag, (p - q).real], 1)]
        )
        left = 0.5 * derivative @ x + self.damping * x  # transport is quadratic
        derivative.diagonal().add_(self.damping)
        return left, derivative

    def newton(self, x: Tensor, c: Tensor) -> Tensor:
        """The solution for c (2 R,) near x, by plain Newton steps; x itself where they do not get there."""
        start = x
        for _ in range(12):
            left, derivative = self.equation(x)
            if (left - c).norm() <= 1e-9 * c.norm():
                return x
            x = x - torch.linalg.solve(derivative, left - c)
        return start

    def follow(self, c: Tensor) -> Tensor:
        """A steady x for c (2 R,): pseudo-arclength continuation (Keller 1977) of the curve (x, s), forcing s c, from rest at s = 0 to s = 1.

        All steady flows for s <= 1 are bounded, so that the curve can turn but has to pass s = 1. Should the budget end before, where it is then.
        """
        m = len(c)
        scale = torch.minimum(
            (c / self.damping).norm(), c.norm().sqrt()
        )  # of a viscous and of an inertial flow
        if scale == 0:
            return torch.zeros_like(c)
        metric = torch.cat([torch.full_like(c, 1 / scale.item() ** 2), c.new_ones(1)])
        system, rhs = c.new_zeros(m + 1, m + 1), c.new_zeros(m + 1, 2)
        rhs[m, 1] = 1.0
        for straight in _STRAIGHT:
            point, tangent = c.new_zeros(m + 1), torch.cat([c / self.damping, c.new_ones(1)])
            ahead = tangent = tangent / (metric * tangent**2).sum().sqrt()
            length, solves = 0.1, 0
            while solves < _SOLVES and length > 1e-6:
                trial, before = point + length * tangent, torch.inf
                for count in range(
                    6
                ):  # Newton on the equation and the plane length ahead, across the tangent
                    left, derivative = self.equation(trial[:m])
                    rhs[:m, 0] = left - trial[m] * c
                    off = rhs[:m, 0].norm() / c.norm()
                    if not off < before or (count and off <= 1e-6):
                        break
                    before = off if count else torch.inf  # the first may grow
                    rhs[m, 0] = (metric * tangent * (trial - point)).sum() - length
                    system[:m, :m], system[:m, m], system[m] = derivative, -c, metric * tangent
                    step, ahead = torch.linalg.solve(system, rhs).unbind(1)
                    trial, solves = trial - step, solves + 1
                ahead = ahead / (metric * ahead**2).sum().sqrt()
                good = (
                    bool(off <= 1e-6)
                    and bool((metric * ahead * tangent).sum() > straight)
                    and bool(trial[m] > 0)
                )  # s = 0 has rest alone
                if good and trial[m] >= 1:
                    share = (1 - point[m]) / (trial[m] - point[m])
                    return self.newton((point + share * (trial - point))[:m], c)
                if good:
                    point, tangent = trial, ahead
                length *= 0.4 if not good else 1.5 if count <= 3 else 1.0
        return point[:m]


def _from_rest(c: Tensor, viscosity: float) -> Tensor:
    """A flow (B, n, n) close to a steady one under curl f = c: followed from rest on few wavenumbers, refined on more, then on the grid."""
    n, start = c.shape[-1], None
    for largest in sorted({min(largest, (n - 1) // 3) for largest in _LARGEST}):
        space = _Galerkin(largest, viscosity)
        small = space.down(c)
        if start is None:
            x = torch.stack([space.follow(one) for one in small])
        else:
            x = torch.stack([space.newton(*pair) for pair in zip(space.down(start), small)])
        start = space.up(x, n)
    start = start.to(c)
    found = _refined(space, start, c, viscosity, 1e-9)
    return torch.where(
        found.success[:, None, None], found.y, start
    )  # Newton-Krylov does better from the start than from a failure


def _refined(space: _Galerkin, start: Tensor, c: Tensor, viscosity: float, tol: float) -> Solution:
    """The flow (B, n, n) near `start`, by an approximate Newton method: the derivative is that at the start on `space`, the identity beyond."""
    n, G = c.shape[-1], operator(viscosity)
    inverse = torch.stack(
        [torch.linalg.inv(space.equation(x)[1]) for x in space.down(start)]
    )  # one by one: batched LU fails with several threads (torch 2.14)

    def H(w: Tensor, c: Tensor) -> Tensor:
        g = G(w, c)
        r = space.down(g - w)  # the derivative of w - G(w) is that of the equation over damping
        return g + space.up((inverse @ (space.damping * r)[..., None])[..., 0] - r, n).to(c)

    return solve(
        H, start, c, method=Anderson(history=30, damping=0.5), max_steps=100, tol=tol, throw=False
    )


def steady_state(
    forcing: Tensor,
    viscosity: float,
    *,
    method: Method | None = None,
    tol: float = 1e-8,
    start: Tensor | None = None,
    max_steps: int = 2000,
    throw: bool = True,
) -> Solution:
    """Solve the steady equation for w on `operator`; Solution.y is the vorticity (B, n, n).

    forcing    (B, 2, n, n)
    method     of `equilibria.solve`: Picard and Anderson do for weak forcing. None: NewtonKrylov; where there is no start, from a flow that
               is followed from rest, the forcing growing, on few wavenumbers (dense, on the CPU) and refined. Solution.steps counts no work on
               that start, and is often 1: compare wall time, or give NewtonKrylov() itself, which sets out from rest
    tol        largest relative residual |G(w) - w| / |G(w)|
    start      (B, n, n), mean zero; None: a fluid at rest
    max_steps  evaluations of G at most; throw as in `solve`
    Raises `SolveError` where throw is True and a flow was not found, TypeError or ValueError for arguments that cannot be right.
    """
    c = curl(_check("forcing", forcing, "(B, 2, n, n)"))
    G, y0, follow = operator(viscosity), torch.zeros_like(c), method is None
    method = method or NewtonKrylov(krylov=_KRYLOV, backtracks=12)
    check_solve_arguments(G, y0, c, method, max_steps, tol)  # before the long way from rest
    if start is not None:
        y0 = _check_vorticity(start, "start")
        _same_grid(y0, forcing, "start")
    elif follow:
        y0 = _from_rest(c, viscosity)
    solution = solve(G, y0, c, method=method, max_steps=max_steps, tol=tol, throw=throw)
    return Solution(
        y=solution.y.to(forcing.dtype),
        status=solution.status,
        steps=solution.steps,
        residuals=solution.residuals,
    )


def another_state(
    vorticity: Tensor, viscosity: float, *, tol: float = 1e-8, max_steps: int = 4000
) -> tuple[Solution, Tensor]:
    """What a solver finds from rest under the forcing that `vorticity` (B, n, n) was made a steady state of, and its distance |w' - w| / |w| (B,)
    from it. Solved, and a distance far above tol: two steady states of one forcing.
    """
    solution = steady_state(
        manufacture(vorticity, viscosity), viscosity, tol=tol, max_steps=max_steps, throw=False
    )
    return solution, _distance(solution.y, vorticity)


def _distance(w: Tensor, label: Tensor) -> Tensor:
    """|w - label| / |label| (B,); 0 / 0 is 0."""
    off = (w - label).flatten(1).norm(dim=1)
    return torch.where(off > 0, off / label.flatten(1).norm(dim=1), off)


def other_states(
    flows: Flows,
    viscosity: float,
    *,
    tries: int,
    generator: torch.Generator,
    n: int = 32,
    progress: bool = False,
) -> tuple[Tensor, Tensor]:
    """(w (N, n', n'), distance (N,)): for each flow the steady state under its own forcing, on its own grid, that lies farthest from its label of those
    that are found by following it from rest and by Newton-Krylov from `tries` random fields of the label's size (tried on n x n points); the label and 0
    where there is none.

    A second state found is one; that none was found proves nothing. Raises TypeError or ValueError for fields that cannot be right, viscosity <= 0,
    tries below 0, or an n that is odd or below 16.
    """
    for name, value, least in (("tries", tries, 0), ("n", n, 16)):
        if (
            not isinstance(value, int)
            or isinstance(value, bool)
            or value < least
            or (name == "n" and n % 2)
        ):
            raise ValueError(
                f"{name} must be an{' even' if name == 'n' else ''} int of at least {least}, got {value!r}"
            )
    residual(flows.vorticity, flows.forcing, viscosity)  # refuses what cannot be right
    N, fine = len(flows), flows.vorticity.shape[-1]
    c, truth = resample(curl(flows.forcing), min(n, fine)), resample(flows.vorticity, min(n, fine))
    std = truth.std((1, 2), correction=0)[:, None, None]
    found, distance = flows.vorticity.clone(), flows.vorticity.new_zeros(N)
    for index in tqdm(
        range(tries + 1), desc="other states", unit="start", disable=not progress, leave=False
    ):
        start = (
            std * random_vorticity(N, truth.shape[-1], std=1.0, generator=generator).to(c)
            if index
            else _from_rest(c, viscosity)
        )
        coarse = solve(
            operator(viscosity),
            start,
            c,
            method=NewtonKrylov(krylov=_KRYLOV, backtracks=12),
            max_steps=400,
            tol=1e-6,
            throw=False,
        )
        far = (coarse.success & (_distance(coarse.y, truth) > 0.01)).nonzero().flatten()
        if not len(far):
            continue
        confirmed = steady_state(
            flows.forcing[far], viscosity, start=resample(coarse.y[far], fine), throw=False
        )
        off = _distance(confirmed.y, flows.vorticity[far])
        better = confirmed.success & (off > distance[far]) & (off > 0.01)
        found[far[better]], distance[far[better]] = confirmed.y[better], off[better]
    return found, distance


# ----------------------------------------------------------------------------------------------------------- steepness
def linearised(vorticity: Tensor, change: Tensor, viscosity: float) -> Tensor:
    """Df (B, 2, n, n) that keeps the flow steady while w moves by a small dw = `change` (B, n, n): the derivative of `manufacture` along it.

    |dw| / |df| is a lower bound of the local constant of forcing -> vorticity (paper, section 5.2). Raises as `manufacture` does.
    """
    w, grid = _check_vorticity(vorticity), _grid(vorticity)
    if w.shape != change.shape:
        raise ValueError(
            f"change must have vorticity's shape {tuple(w.shape)}, got {tuple(change.shape)}"
        )
    dw = _check_vorticity(change, "change")
    _check_viscosity(viscosity)
    return pushforward(lambda w: _force(w, viscosity, grid), w.clone(), dw.clone())[1].to(
        vorticity.dtype
    )  # either may be expanded


def local_constant(vorticity: Tensor, viscosity: float, *, largest: int | None = None) -> Tensor:
    """Local Lipschitz constant of the physical map forcing -> vorticity at each steady state, (B,): max of |dw| / |df| over the dw with
    wavenumbers up to `largest` in either direction. Exact on that space (a singular value of the dense linearised equation), so a lower bound.
    None: the space grows, four wavenumbers at a time, until the constant does by less than a thousandth, or the grid has no more. Forcing without
    divergence; infinite at a fold.

    Raises ValueError unless 1 <= largest < n / 2; else as `linearised`.
    """
    n = vorticity.shape[-1]
    if largest is None:
        found = local_constant(vorticity, viscosity, largest=min(10, n // 2 - 1))
        for size in range(14, n // 2, 4):
            before, found = found, local_constant(vorticity, viscosity, largest=size)
            if bool((found <= 1.001 * before).all()):
                break
        return found
    if not isinstance(largest, int) or isinstance(largest, bool) or not 1 <= largest < n / 2:
        raise ValueError(f"largest must be None or an int in [1, n / 2), got {largest!r}")
    k, l = torch.meshgrid(
        torch.arange(-largest, largest + 1), torch.arange(largest + 1), indexing="ij"
    )
    half = (l > 0) | (k > 0)  # one of each pair k, -k
    basis = (
        waves(n, torch.stack([k[half], l[half]], 1)).flatten(0, 1).to(vorticity.device)
    )  # cosines and sines, orthonormal
    found = []
    for w in vorticity.double():
        pushed = torch.cat(
            [
                linearised(w.expand(len(part), -1, -1), part, viscosity).flatten(1)
                for part in basis.split(64)
            ]
        )
        found.append(
            torch.linalg.eigvalsh(pushed @ pushed.T)[0].clamp_min(0).rsqrt()
        )  # 1 / the least singular value
    return torch.stack(found).to(vorticity.dtype)


def waves(n: int, wavenumbers: Tensor) -> Tensor:
    """cos(k.x) and sin(k.x) of norm 1 on an n x n grid, (R, 2, n, n) for integer wavenumbers (R, 2), none of them 0 or at n / 2."""
    k = wavenumbers.double()
    if (
        k.dim() != 2
        or k.shape[1] != 2
        or bool((k.abs() >= n / 2).any())
        or bool((k == 0).all(1).any())
    ):
        raise ValueError(
            f"wavenumbers must have shape (R, 2), below n / 2 = {n / 2} and not both zero, got {wavenumbers.tolist()}"
        )
    x = 2 * torch.pi / n * torch.arange(n, dtype=torch.float64)
    phase = k[:, 0, None, None] * x[:, None] + k[:, 1, None, None] * x
    return torch.stack([phase.cos(), phase.sin()], 1) * (2**0.5 / n)


# ----------------------------------------------------------------------------------------------------------------- data
def resample(field: Tensor, n: int) -> Tensor:
    """The same trigonometric polynomial (..., m, m) on an n x n grid; wavenumbers that either grid lacks are left out. Raises ValueError for an odd n
    or a field that is not square.
    """
    m = field.shape[-1]
    if not isinstance(n, int) or n % 2 or n < 4:
        raise ValueError(f"n must be an even int of at least 4, got {n!r}")
    if field.dim() < 2 or field.shape[-2] != m or m % 2 or m < 4:
        raise ValueError(
            f"field must have shape (..., m, m) with an even m of at least 4, got {tuple(field.shape)}"
        )
    half = min(m, n) // 2
    a = rfft2(field.double())
    b = a.new_zeros(*field.shape[:-2], n, n // 2 + 1)
    b[..., :half, :half] = a[..., :half, :half]
    b[..., 1 - half :, :half] = a[..., 1 - half :, :half]
    return (irfft2(b, s=(n, n)) * (n / m) ** 2).to(field.dtype)


def random_vorticity(
    count: int, n: int, *, std: float, peak: float = 2.0, generator: torch.Generator
) -> Tensor:
    """Gaussian random fields (count, n, n), float64, mean zero, scaled to the standard deviation `std` each.

    White noise on a grid that does not depend on n, times |k|^2 exp(-|k|^2 / peak^2), largest at |k| = peak; wavenumbers beyond n / 3 are left out.
    Raises ValueError for a count below 1, std <= 0, or a peak below 0.5.
    """
    for name, value, least in (("count", count, 1), ("std", std, 0), ("peak", peak, 0.5)):
        if not least <= value < float("inf") or value == 0:
            raise ValueError(
                f"{name} must be {'positive' if not least else f'at least {least}'} and finite, got {value!r}"
            )
    base = 2 * round(8 * peak)  # beyond half of it the factor is below 1e-25
    grid = _Grid(base, torch.device("cpu"))
    noise = torch.randn(count, base, base, generator=generator, dtype=torch.float64)
    w = resample(grid.back(rfft2(noise) * grid.square * torch.exp(-grid.square / peak**2)), n)
    target = _Grid(n, torch.device("cpu"))
    w = target.back(rfft2(w) * target.kept)
    return std * w / w.std((1, 2), correction=0, keepdim=True)


@dataclass(frozen=True, kw_only=True)
class Regime:
    """How flows are drawn: std and peak wavenumber of w, viscosity; solved: labels come from the forcing, confirmed from a second start."""

    std: float
    solved: bool
    peak: float = 2.0
    viscosity: float = VISCOSITY
    tol: float = 1e-8


REGIMES = {"unique": Regime(std=0.1, solved=True), "published": Regime(std=0.334, solved=False)}


@dataclass(frozen=True)
class Flows:
    """forcing (N, 2, n, n) and vorticity (N, n, n), float64; drawn: how many fields were drawn for them (unconfirmed ones are left out)."""

    forcing: Tensor
    vorticity: Tensor
    drawn: int

    def __len__(self) -> int:
        return len(self.vorticity)


def _coarse(c: Tensor, viscosity: float, start: Tensor) -> tuple[Tensor, Tensor]:
    """(found, y). The few slow flows are begun again without the others: a sample's iterates do not depend on its batch, and a batch costs its slowest."""
    y, found, todo = start.clone(), torch.zeros(len(c), dtype=torch.bool), torch.arange(len(c))
    for steps in (50, 80, 300):
        solution = solve(
            operator(viscosity),
            start[todo],
            c[todo],
            method=Anderson(history=20),
            max_steps=steps,
            tol=1e-6,
            throw=False,
        )
        y[todo], found[todo] = solution.y, solution.success
        todo = todo[~solution.success]
        if not len(todo):
            break
    return found, y


def draw(
    regime: Regime, count: int, n: int, *, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """(forcing (N, 2, n, n), vorticity (N, n, n)), float64, of `count` random fields. Where regime.solved, only of those that are confirmed: from rest and
    from an unrelated field, solvers that see the forcing alone find the same flow, and it is the one that the forcing was made from; found on a coarse
    grid, finished on the fine one. Else of all, unconfirmed. Raises as `random_vorticity` does.
    """
    drawn = random_vorticity(count, n, std=regime.std, peak=regime.peak, generator=generator)
    forcing = manufacture(drawn, regime.viscosity)
    if not regime.solved:
        return forcing, drawn
    second = random_vorticity(count, n, std=regime.std, peak=regime.peak, generator=generator)
    small = min(n, 2 * round(8 * regime.peak))
    c = resample(curl(forcing), small)
    near = lambda a, b: (a - b).flatten(1).norm(dim=1) <= 1e-4 * b.flatten(1).norm(dim=1)  # noqa: E731
    truth, kept = resample(drawn, small), torch.arange(count)
    for start in (resample(second, small), torch.zeros_like(c)):
        found, y = _coarse(c[kept], regime.viscosity, start[kept])
        agree = found & near(y, truth[kept])
        kept, y = kept[agree], y[agree]
        if not len(kept):
            return forcing[:0], drawn[:0]
    forcing, drawn = forcing[kept], drawn[kept]
    # the residual of the equation weighs small scales more than that of G does
    y = _refined(
        _Galerkin(min(_LARGEST[0], (n - 1) // 3), regime.viscosity),
        resample(y, n),
        curl(forcing),
        regime.viscosity,
        0.01 * regime.tol,
    ).y
    good = (residual(y, forcing, regime.viscosity) <= regime.tol) & near(y, drawn)
    return forcing[good], y[good]


def data(regime: str, count: int, *, n: int = 64, seed: int, progress: bool = True) -> Flows:
    """The first `count` flows of a regime and seed, made once, in files of some hundred, and kept under `data/navier_stokes`.

    A run that was stopped goes on where it was. A file that is damaged, foreign or of another recipe is named in a warning and made again.
    Raises ValueError for an unknown regime, a count below 1 or an n that cannot be.
    """
    if regime not in REGIMES:
        raise ValueError(f"regime must be one of {', '.join(REGIMES)}, got {regime!r}")
    for name, value, least in (("count", count, 1), ("n", n, 16), ("seed", seed, 0)):
        if (
            not isinstance(value, int)
            or isinstance(value, bool)
            or value < least
            or (name == "n" and n % 2)
        ):
            raise ValueError(
                f"{name} must be an{' even' if name == 'n' else ''} int of at least {least}, got {value!r}"
            )
    recipe = {**asdict(REGIMES[regime]), "n": n, "seed": seed, "chunk": _CHUNK, "version": 1}
    key = hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()[:12]
    parts, drawn = [], 0
    with tqdm(
        total=count,
        desc=f"flows, {regime}, {n} x {n}",
        unit="flow",
        disable=not progress,
        leave=False,
        mininterval=2,
    ) as bar:
        for forcing, vorticity in _chunks(
            REGIMES[regime], n, data_folder() / "navier_stokes" / f"{regime}-{n}-{key}", recipe
        ):
            drawn += _CHUNK
            parts.append((forcing, vorticity))
            if drawn >= 5 * _CHUNK and sum(len(f) for f, _ in parts) < 0.1 * drawn:
                raise DataError(
                    f"of {drawn} flows of the regime {regime!r} only {sum(len(f) for f, _ in parts)} were confirmed: their forcing is too strong"
                )
            bar.update(min(len(forcing), count - bar.n))
            if sum(len(f) for f, _ in parts) >= count:
                break
    forcing, vorticity = (torch.cat(column)[:count] for column in zip(*parts))
    return Flows(forcing, vorticity, drawn)


def _chunks(regime: Regime, n: int, folder: Path, recipe: dict) -> Iterator[tuple[Tensor, Tensor]]:
    index = 0
    while True:
        path, mine = (
            folder / f"{index:04d}.safetensors",
            json.dumps({**recipe, "index": index}, sort_keys=True),
        )
        found = None
        if path.exists():
            try:
                found = _read(path, mine)
            except DataError as error:
                warnings.warn(f"{error}; it is made again", stacklevel=3)
        if found is None:
            digest = hashlib.sha256(f"{recipe['seed']}/{index}".encode()).digest()
            found = draw(
                regime,
                _CHUNK,
                n,
                generator=torch.Generator().manual_seed(int.from_bytes(digest[:7], "big")),
            )
            checkpoints.write_tensors(
                path,
                {"forcing": found[0], "vorticity": found[1]},
                {"recipe": mine, "sha256": _checksum(*found)},
            )
        yield found
        index += 1


def _read(path: Path, recipe: str) -> tuple[Tensor, Tensor]:
    try:
        tensors, metadata = checkpoints.read_tensors(path)
    except checkpoints.CheckpointError as error:
        raise DataError(f"{path} is not a readable data file ({error})") from error
    if metadata.get("recipe") != recipe:
        raise DataError(f"{path} was made by another recipe: {metadata.get('recipe')}")
    if set(tensors) != {"forcing", "vorticity"} or metadata.get("sha256") != _checksum(
        tensors["forcing"], tensors["vorticity"]
    ):
        raise DataError(f"{path} is damaged: its checksum does not match its content")
    return tensors["forcing"], tensors["vorticity"]


def _checksum(*tensors: Tensor) -> str:
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()
