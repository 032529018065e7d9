"""Two protocols for the Lipschitz constant of y_t: corrected and as released (paper, Fig. 4).

Both move the *solution* w by plane sine waves dw, ask the linearised equation which change of
forcing df that takes, and report |y_t(f + df) - y_t(f)| / |df|; L_t is its maximum.

corrected    What the text of the paper means: the physical equation at w, in its own units, a
             df of the kind of the flows' forcing (``pressure``), and Picard's y_t.
as released  What the published experiments compute. Fields are divided by the standard deviations
             of the data set, and the linearised equation sees the divided w as if it were physical,
             with a velocity of the opposite sign. The waves are drawn on a grid that counts both
             ends of the period, so they are not quite periodic. df = (0, f2) with f2 the curl
             divided by i k1. y_t is Anderson's answer with budget t.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.fft import fft2, fftfreq, ifft2

from equilibria.operators.fourier import ImplicitFNO
from equilibria.problems.flow_data import VISCOSITY
from equilibria.problems.flow_equation import linearised
from equilibria.problems.flow_grid import half_plane, waves
from equilibria.solvers import Anderson, solve
from equilibria.studies.navier_stokes.measures import predictions_along_t, relative_error

__all__ = [
    "PERCENTILES",
    "lipschitz_along_t",
    "perturbations",
    "physical_directions",
    "released_forcing",
    "released_lipschitz",
    "released_waves",
    "wavenumbers",
]

# percentiles p of the waves (the paper's)
PERCENTILES = (
    *(0.01, 0.02, 0.03, 0.04, 0.05),
    *(0.1, 0.3, 0.5, 0.7, 0.9),
    *(0.95, 0.96, 0.97, 0.98, 0.99),
)

_RELEASED_TOL = 1e-6
_RELEASED_START = 2  # budgets up to this one return the start of the iteration


def wavenumbers(n: int, percentiles: Sequence[float] = PERCENTILES) -> list[int]:
    """The k of the waves sin(k (x1 + x2)): max(1, int(p n / 2)) for each p, each k once."""
    return sorted({max(1, int(p * n / 2)) for p in percentiles})


# ---------------------------------------------------------------------------------------- corrected
def perturbations(
    vorticity: Tensor,
    viscosity: float,
    *,
    pressure: bool = True,
    norm: float = 0.01,
    percentiles: Sequence[float] = PERCENTILES,
) -> tuple[Tensor, Tensor]:
    """The small moves of the corrected protocol: (dw (R, n, n), df (B, R, 2, n, n)).

    dw are the waves sin(k (x1 + x2)), scaled to this norm, for the R `wavenumbers`; df is the
    change of forcing that each of them asks for at each flow, by the linearised equation
    (`linearised`, which says what ``pressure`` is).
    """
    n = vorticity.shape[-1]
    k = torch.tensor(wavenumbers(n, percentiles))
    sines = waves(n, torch.stack([k, k], 1))[:, 1]
    dw = norm * sines.to(vorticity)
    df = [
        linearised(vorticity, wave.expand_as(vorticity), viscosity, pressure=pressure)
        for wave in dw
    ]
    return dw, torch.stack(df, 1)


def physical_directions(
    vorticity: Tensor, viscosity: float, *, pressure: bool = True, largest: int = 6
) -> Tensor:
    """Orthonormal changes of forcing that keep the flow steady, (B, R, 2, n, n).

    They span the df of all dw with wavenumbers up to ``largest``: the directions in which
    forcing -> vorticity has a derivative.
    """
    n = vorticity.shape[-1]
    k, l, half = half_plane(  # noqa: E741  the pair (k, l)
        torch.arange(-largest, largest + 1), torch.arange(largest + 1)
    )
    basis = waves(n, torch.stack([k[half], l[half]], 1)).flatten(0, 1).to(vorticity)
    spans = []
    for w in vorticity:
        df = linearised(w.expand_as(basis), basis, viscosity, pressure=pressure)
        spans.append(torch.linalg.qr(df.flatten(1).mT)[0].mT.view_as(df))
    return torch.stack(spans)


def lipschitz_along_t(
    model: ImplicitFNO,
    vorticity: Tensor,
    forcing: Tensor,
    *,
    steps: int,
    viscosity: float = VISCOSITY,
    pressure: bool = True,
    norm: float = 0.01,
    percentiles: Sequence[float] = PERCENTILES,
) -> tuple[Tensor, Tensor]:
    """The corrected protocol in one pass, in the model's dtype: (ratios, errors).

    ratios  |y_t(f + df) - y_t(f)| / |df| for each of the R `perturbations`, (steps, R, B)
    errors  relative error of the clean and of all perturbed runs against their own labels w and
            w + dw, (steps, R + 1, B)
    """
    dtype = next(model.parameters()).dtype
    dw, df = perturbations(
        vorticity, viscosity, pressure=pressure, norm=norm, percentiles=percentiles
    )
    runs = torch.cat([forcing[None], forcing[None] + df.transpose(0, 1)])
    runs = runs.to(dtype)  # (R + 1, B, 2, n, n)
    labels = torch.cat([vorticity[None], vorticity[None] + dw[:, None]]).to(dtype)
    ratios, errors = [], []
    for y in predictions_along_t(model, runs.flatten(0, 1), steps=steps):
        answers = y.view_as(labels)
        ratios.append(_ratios(answers, runs))
        errors.append(relative_error(y, labels.flatten(0, 1)).view(labels.shape[:2]))
    return torch.stack(ratios), torch.stack(errors)


# -------------------------------------------------------------------------------------- as released
def released_waves(
    n: int, batch: int, *, norm: float = 0.01, percentiles: Sequence[float] = PERCENTILES
) -> Tensor:
    """The waves of the released protocol, (R, n, n), float64.

    Each is sin(k (x1 + x2)) on linspace(0, 2 pi, n), which counts both ends of the period. ``norm``
    is that of a whole batch of equal waves.
    """
    x = torch.linspace(0, 2 * torch.pi, n, dtype=torch.float64)
    phase = x[:, None] + x
    sines = torch.stack([(k * phase).sin() for k in wavenumbers(n, percentiles)])
    of_batch = batch**0.5 * sines.flatten(1).norm(dim=1)
    scaled: Tensor = norm * sines / of_batch[:, None, None]
    return scaled


def released_forcing(vorticity: Tensor, change: Tensor, viscosity: float) -> Tensor:
    """The released linearisation: the df (B, 2, n, n) of dw = ``change``, at w, both (B, n, n).

    With v = -u, the velocity of the opposite sign, of w and of dw:

        c = v(w).grad dw + v(dw).grad w - nu lap dw,     df = (0, f2),     f2 = c / (i k1)

    Coefficients with k1 = 0 are dropped, and products are not dealiased.
    """
    n = vorticity.shape[-1]
    k = fftfreq(n, 1 / n, dtype=torch.float64, device=vorticity.device)
    k1, k2 = k[:, None], k[None]
    square = k1**2 + k2**2

    def gradient(coefficients: Tensor) -> tuple[Tensor, Tensor]:
        return ifft2(1j * k1 * coefficients).real, ifft2(1j * k2 * coefficients).real

    def transport(of: Tensor, moved: Tensor) -> Tensor:
        """v(of).grad moved; psi = (-lap)^-1 of, u = (d2 psi, -d1 psi), v = -u."""
        d1_psi, d2_psi = gradient(of / square.clamp_min(1) * (square > 0))
        d1, d2 = gradient(moved)
        along: Tensor = d1_psi * d2 - d2_psi * d1
        return along

    w, dw = fft2(vorticity.double()), fft2(change.double())
    friction = viscosity * ifft2(square * dw).real
    curl = fft2(transport(w, dw) + transport(dw, w) + friction)
    inverse = torch.where(k1 == 0, 0, 1 / (1j * torch.where(k1 == 0, 1, k1)))
    f2 = ifft2(curl * inverse).real
    return torch.stack([torch.zeros_like(f2), f2], 1)


@torch.no_grad()
def released_lipschitz(
    model: ImplicitFNO,
    vorticity: Tensor,
    forcing: Tensor,
    *,
    steps: int,
    scales: tuple[float, float],
    viscosity: float = VISCOSITY,
    norm: float = 0.01,
    percentiles: Sequence[float] = PERCENTILES,
) -> Tensor:
    """The ratios of the released protocol for t = 1, ..., steps, (steps, R, B), in model's dtype.

    ``scales`` are the standard deviations of forcing and vorticity in the data set, by which fields
    are divided; ratios are in these units. y_t is Anderson's answer with at most t evaluations (to
    the relative residual 1e-6); up to t = 2 it is the start z_0 = 0 itself, which does not know the
    forcing.
    """
    dtype = next(model.parameters()).dtype
    of_forcing, of_vorticity = scales
    f, w = forcing.double() / of_forcing, vorticity.double() / of_vorticity
    dw = released_waves(w.shape[-1], len(w), norm=norm, percentiles=percentiles).to(w.device)
    df = torch.stack([released_forcing(w, wave.expand_as(w), viscosity) for wave in dw])
    runs = torch.cat([f[None], f[None] + df])  # (R + 1, B, 2, n, n)
    q = model.encode((of_forcing * runs).flatten(0, 1).to(dtype))
    runs = runs.to(dtype)
    rows = []
    for y in _anderson_answers(model, q, steps):
        rows.append(_ratios(y.view(len(runs), *w.shape) / of_vorticity, runs))
    ratios: Tensor = torch.stack(rows)
    return ratios


def _anderson_answers(model: ImplicitFNO, q: Tensor, steps: int) -> list[Tensor]:
    """Anderson's answers with budgets 1, ..., steps, from one solve.

    The answer with budget t is the point at which evaluation t + 1 looks.
    """
    z0 = model.start(q)
    answers: list[Tensor] = []

    def decoding(z: Tensor, q: Tensor) -> Tensor:
        answers.append(model.decode(z))
        after: Tensor = model(z, q)
        return after

    budget = steps + 1
    solution = solve(
        decoding, z0, q, method=Anderson(), max_steps=budget, tol=_RELEASED_TOL, throw=False
    )
    start, *later = answers
    missing = steps - len(later)  # where every sample was solved before
    later += [model.decode(solution.y)] * missing
    return [start] * min(_RELEASED_START, steps) + later[_RELEASED_START:]


def _ratios(answers: Tensor, runs: Tensor) -> Tensor:
    """|dy| / |df|, (R, B), of answers (R + 1, B, n, n) to runs (R + 1, B, 2, n, n).

    The first entry is the clean one.
    """
    moved = (answers[1:] - answers[:1]).flatten(2).norm(dim=2)
    size = (runs[1:] - runs[:1]).flatten(2).norm(dim=2)
    ratio: Tensor = moved / size
    return ratio
